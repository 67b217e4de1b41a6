"""The verdict on a printed cell, from the claim and the record alone; pages' tables and the scorecard both use it.

A number is compared if the protocol that determines it is the paper's; otherwise the verdict is *another protocol*:

- Likelihoods and distances depend on a network and its features. With another network the number differs, and only the
  step from Standard's number to it can be compared.
- An unlearned model depends on its updates, batches and settings, which are the paper's in the profile ``paper`` only.

A measure of forgetting is judged together with its cost: the distance of the other samples from real images, as a
multiple of that of the model before. By the book's rule (:mod:`paperlib.metrics.rule`) more than 1.5 is damage, and a
damaged model reproduces nothing.
"""

from typing import Any

from companion.claims.printed import Claim, metrics, rivals
from companion.claims.verdicts import Verdict, step, verdict
from paperlib.metrics.rule import FARTHER

__all__ = ["GIVEN", "another_protocol", "cost", "judge"]

#: Models that no unlearning method made. What is printed about them does not depend on a method's settings.
GIVEN = ("standard", "pretrained", "before", "unscrubbed", "unseen", "retrained", "clean")
BEFORE = GIVEN[:4]
MEASURED = ("reproduced", "not reproduced", "inconclusive")
MODEL = ("updates", "batch_size", "lr", "alpha", "gamma", "variant", "model_forgot", "checkpoint", "posterior")


def judge(claim: Claim, record: Any, value: Any = None) -> Verdict:
    """Return the verdict on a printed cell.

    Args:
        claim: the cell.
        record: the record that should contain it; None if there is none.
        value: the record's value, or what was not run; looked up if not given.
    """
    if value is None and record is not None:
        value = next((one for one in record.values if one.claim == claim.id), None)
    if not hasattr(value, "value"):
        return verdict(claim, value)
    other, price = another_protocol(claim, value, record.profile), None
    forgetting = metrics()[claim.metric].forgetting and value.method not in GIVEN
    if forgetting:
        price = cost(value, record)
        paid = "the distance of the other samples was not measured"
        if price is not None:
            paid = f"the other samples are {price:.1f} times as far from real images as before"
    if other and forgetting:
        other = f"{other}; {paid}"
    elif other:
        other = "; ".join(filter(None, [other, _difference(claim, record, value)]))
    made = verdict(claim, value, another=other)
    if made.word in MEASURED and value.method in GIVEN and "checkpoint" in value.protocol and len(value.seeds) > 1:
        made = Verdict(made.word, f"{made.because}; one model: the seeds vary only its samples")
    if not forgetting or made.word != "reproduced":
        return made
    word = "inconclusive" if price is None else "not reproduced" if price > FARTHER else "reproduced"
    return Verdict(word, f"{made.because}; {paid}")


def another_protocol(claim: Claim, value: Any, profile: str) -> str:
    """Say how the protocol differs from the paper's in what determines the number; empty if it does not."""
    if claim.dataset == "mixture":  # its exact answers are known, whatever the network
        return ""
    said = []
    if metrics()[claim.metric].compared == "differences":
        said.append(f"{metrics()[claim.metric].label} of another network")
    if value.method not in GIVEN and profile != "paper":
        words = {"updates": "{} updates", "evaluations": "{} gradient evaluations", "batch_size": "(batch size {})"}
        amounts = (word.format(value.protocol[key]) for key, word in words.items() if key in value.protocol)
        start = "from the trained model" if value.protocol.get("start", "finetune") == "finetune" else ""
        said.append(" ".join(filter(None, [*amounts, start])))
        if claim.unprinted:
            said.append(f"the paper prints no {claim.unprinted}")
    return "; ".join(said)


def cost(value: Any, record: Any) -> float | None:
    """Return the distance from real images of the samples that do not show D_f, as a multiple of that of the model
    before; None if the record does not have it."""
    far = [one for one in record.values if hasattr(one, "value") and one.protocol.get("metric") == "rest-frechet"]
    same = [value.dataset, *map(value.protocol.get, ("forget", "process"))]  # the classes that a distance leaves out
    far = [one for one in far if [one.dataset, *map(one.protocol.get, ("forget", "process"))] == same]
    own = [one for one in far if one.method == value.method and _model(one) == _model(value)]
    start = [one.value for one in far if one.method in BEFORE] or [record.series.get("start_rest")]
    return own[0].value / start[0] if own and start[0] else None


def _model(value: Any) -> tuple[Any, ...]:
    return tuple(value.protocol.get(key) for key in MODEL)


def _difference(claim: Claim, record: Any, value: Any) -> str:
    """Describe the step from Standard's cell to this one, printed and measured, if the record has both."""
    start = next((one for one in rivals(claim) if one.method in BEFORE), None)
    before = start and next((one for one in record.values if one.claim == start.id and hasattr(one, "value")), None)
    if not before or claim.method in BEFORE:
        return ""
    found = step(before, value)
    ends = f" [{found[1]:+.2f}, {found[2]:+.2f}]" if len(found) == 3 else ""
    return f"change from Standard: printed {claim.value - start.value:+.2f}, here {found[0]:+.2f}{ends}"
