"""The evaluation of one base model as a run of the campaign; what it finds goes to the model's card."""

from dataclasses import dataclass

from companion.bases import Base
from companion.campaign.step import BaseStep
from companion.evaluation.report import evaluate, prepare
from companion.evaluation.subject import Protocol
from companion.machine import say

__all__ = ["BaseEvaluation", "protocol"]

# Estimates for two idle CPU cores: FID's network sees 15 images/s there, 5,000 samples of each model and, once for a
# set, its 10,000 reference images; a model of MNIST draws some 25 images/s.
MINUTES = {"digits": 2.0, "shapes": 5.0, "avatars": 12.0, "mnist": 25.0, "cifar10": 90.0}


def protocol(base: Base) -> Protocol:
    """How a base model is measured: FID, precision and recall in Inception's features, and likelihood.

    The digits have 8 x 8 pixels: in Inception's eyes, 37 times as wide, they are no images, and the drawn sets are not
    what it was trained for: their distance is that in the classifier's features. A twin that has never seen some
    classes is compared with images without them, and its UR is what retraining gets.
    """
    small, twin = base.dataset not in ("mnist", "cifar10"), "u-" if base.unseen else ""
    metrics = [f"{twin}fid"] * (not small) + [f"{twin}frechet", f"{twin}precision-recall", "nll"]
    metrics += ["bound"] * (base.process == "ddpm") + ["ur"] * bool(base.unseen)
    return Protocol(metrics=tuple(metrics), features="classifier" if small else "inception", forget=base.unseen)


@dataclass
class BaseEvaluation(BaseStep):
    """FID (5,000), precision, recall and likelihood of one base model, with their protocol, on its card."""

    what = "evaluation"

    def left(self) -> float:
        """1 until the card has these measures of the checkpoint that it is the card of, by this protocol."""
        found = self.card.get("evaluation", {})
        measured = Protocol.model_validate(found["protocol"]) if found else None  # what is new since is as it was
        return super().left() if measured == protocol(self.base) else 1.0

    def minutes(self) -> float:
        """An estimate for two idle CPU cores."""
        return MINUTES.get(self.base.dataset, 240.0)

    def work(self) -> None:
        """Measure and write. What was stopped goes on from the store."""
        subject = prepare(self.base.name, protocol(self.base), device=self.device, folder=self.folder)
        found = evaluate(subject, say)
        facts = found.model_dump(mode="json", by_alias=True)
        self.keep(**{name: facts[name] for name in ("sha256", "protocol", "sampling", "results", "provenance")})
        say(found.table())
