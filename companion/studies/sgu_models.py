"""The models of SGU's pages on images: Standard, the unlearned models, and Unseen, which never saw D_f."""

from collections.abc import Iterator
from dataclasses import replace

from companion import checkpoints
from companion.comparison.search import candidate
from companion.models import Model, base
from companion.noisy_classifiers import RECIPES
from companion.studies.sgu_rows import FINETUNED, ROWS, row_of, training
from companion.studies.sgu_search import alpha_of, entrants, negation_of, searched
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.negate import negate
from paperlib.unlearning.sgu import sgu

__all__ = ["CODE", "FINETUNED", "ROWS", "found", "sgu_models", "unlearnt", "weighted"]

SEARCHED = {"sgu_orthogonal_paper": "sgu_orthogonal", "sgu_obtuse_paper": "sgu_obtuse"}
SEARCHED |= {"control": "finetune", "negate": "negate"}
#: The public code's setting of its own, element-wise loss.
CODE = {"loss": "orthogonal", "variant": "code", "alpha": 0.99, "every": 4}


def sgu_models(
    row: str,
    *,
    profile: str,
    forget: str = "",
    process: str = "",
    start: str = "",
    others: bool = True,
    **run: int | float | str,
) -> Iterator[tuple[Model, str]]:
    """Yield each model of a row, with what it was to forget.

    Args:
        row: a key of ``ROWS`` or ``FINETUNED``.
        profile: "smoke" takes the synthetic set, "paper" the paper's network, training and batches.
        forget: classes to forget; empty for the row's own.
        process: a process other than the row's own.
        start: "retrain" or "finetune"; empty means, at paper, from fresh weights as in Table 2.
        others: include the models that the paper's tables lack: the public code's own setting, fine-tuning alone,
            exact negation.
        run: what :func:`unlearnt` takes. At laptop, ``updates`` of 0 means the search's own best run of each loss,
            which used four fifths of the training images (:func:`found`).
    """
    name, own = row_of(row, profile, process)
    standard, D_f = base(name), forget or own
    if profile == "laptop" and not run["updates"]:
        for model in found(standard, D_f):
            yield model, D_f
        return
    anew = {"start": start} if start == "retrain" else {}  # sgu itself fine-tunes, and pages share its runs
    if profile == "paper" and not standard.missing:
        theirs = training(standard, start or "retrain", int(run["updates"]))
        anew = {name: theirs.pop(name) for name in ("start", "forget_batch")}
        run |= theirs
    for model in unlearnt(standard, D_f, anew=anew, others=others, **run):
        yield model, D_f


def unlearnt(
    standard: Model,
    D_f: str,
    *,
    alpha: float = 0.0,
    variant: str = "paper",
    anew: dict[str, int | str] | None = None,
    others: bool = True,
    **run: int | float | str,
) -> Iterator[Model]:
    """Yield a base model, the models unlearned from it by SGU's two losses, Unseen, and the others.

    Args:
        alpha: for both losses; 0: for each loss the one that the search found (:mod:`companion.studies.sgu_search`).
        variant: the reading of both losses.
        anew: settings of SGU alone: ``start``, ``forget_batch``, ``weighting``.
        others: include the public code's own setting, fine-tuning alone, which is alpha = 1, and exact negation.
        run: ``updates``, ``batch_size``, ``lr``, ``seed``, ``evaluations`` of :meth:`companion.models.Model.unlearn`.
    """
    yield standard
    known, anew = not standard.missing, anew or {}
    for loss in ("orthogonal", "obtuse"):
        weight = alpha or (alpha_of(standard.name, D_f, loss, variant) if known else 1.0)
        weighed = {"loss": loss, "alpha": weight, "variant": variant} | anew
        yield standard.unlearn(sgu, D_f, called=f"sgu_{loss}", **weighed, **run)
    if others:
        yield standard.unlearn(sgu, D_f, called="sgu_code", **CODE, **anew, **run)
        yield standard.unlearn(finetune, D_f, **run)
    yield _unseen(standard, D_f)
    if others:
        yield _negated(standard, D_f, **run)


def found(standard: Model, D_f: str) -> Iterator[Model]:
    """Yield a base model, the best run of each SGU loss in its search, the control, Unseen and exact negation."""
    search = None if standard.missing else searched(standard.name, D_f)
    yield standard
    for entrant, name in SEARCHED.items():
        if search is None or entrant not in search.entrants:
            yield replace(standard, method=name, forgot=D_f, missing=standard.missing or f"no search has {entrant}")
        else:
            best, among = search.best(entrant).settings, entrants(standard.name)[entrant]
            run = candidate(standard.name, D_f, search.budget, among, best, held_out=True)
            yield replace(standard, method=name, forgot=D_f, run=run)
    yield _unseen(standard, D_f)


def weighted(standard: Model, D_f: str, **run: int | float | str) -> Iterator[Model]:
    """Yield, for a DDPM, both losses with the weights printed in Appendix B, those of the variational bound (Eq. 13 and
    14); nothing for another process. ``run`` is as in :func:`unlearnt`."""
    if standard.missing or not standard.kind.process.startswith("ddpm"):
        return
    for loss, equation in (("orthogonal", 13), ("obtuse", 14)):
        settings = {"loss": loss, "alpha": alpha_of(standard.name, D_f, loss, "paper"), "weighting": "bound"}
        yield standard.unlearn(sgu, D_f, called=f"SGU {loss}, weights of Eq. {equation}", **settings, **run)


def _unseen(standard: Model, D_f: str) -> Model:
    """Return the model that never saw D_f; while it is in training, ``missing`` says how far that is."""
    found = standard.retrained(without=D_f)
    if not found.missing or not found.name:
        return found
    network = found.kind.network
    if begun := checkpoints.card(network.name, network.folder / "unfinished"):
        whole = begun["budget"]["steps"] * begun["budget"]["batch_size"]
        return replace(found, missing=f"{network.name} is in training: {begun['samples_seen']:,} of {whole:,} images")
    return found


def _negated(standard: Model, D_f: str, **run: int | float | str) -> Model:
    """Return the model of exact negation, if there is a classifier of noisy images."""
    name = "" if standard.missing else standard.kind.dataset
    if standard.missing or (name in RECIPES and checkpoints.card(f"noisy-classifier-{name}")):
        return standard.unlearn(negate, D_f, w=negation_of(standard.name, D_f), **run)
    return replace(standard, method="negate", forgot=D_f, missing=f"no classifier of noisy {name} is at hand")
