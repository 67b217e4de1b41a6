"""The evaluation of one base model as a run of the campaign; the results go to the model's card."""

from dataclasses import dataclass

from companion.bases import Base
from companion.campaign.step import BaseStep
from companion.evaluation.report import evaluate, prepare
from companion.evaluation.subject import Protocol
from companion.machine import say

__all__ = ["BaseEvaluation", "protocol"]

# Estimates for two idle CPU cores: FID's network processes 15 images/s, for 5,000 samples of each model and, once per
# set, 10,000 reference images; an MNIST model generates some 25 images/s.
MINUTES = {"digits": 2.0, "shapes": 5.0, "avatars": 12.0, "mnist": 25.0, "cifar10": 90.0}


def protocol(base: Base) -> Protocol:
    """Return the protocol of a base model: FID, precision and recall in Inception's features, and likelihood.

    Inception was not trained for the synthetic sets, nor for digits of 8 x 8 pixels enlarged 37 times; their distance
    uses the classifier's features. A twin that never saw some classes is compared with images without them, and its UR
    is what retraining achieves.
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
        """Return 1 until the card has these measures of its checkpoint, by this protocol; then 0."""
        found = self.card.get("evaluation", {})
        measured = Protocol.model_validate(found["protocol"]) if found else None  # newer settings take their defaults
        return super().left() if measured == protocol(self.base) else 1.0

    def minutes(self) -> float:
        """Return an estimate for two idle CPU cores."""
        return MINUTES.get(self.base.dataset, 240.0)

    def work(self) -> None:
        """Measure and write; an interrupted run resumes from the store."""
        subject = prepare(self.base.name, protocol(self.base), device=self.device, folder=self.folder)
        found = evaluate(subject, say)
        facts = found.model_dump(mode="json", by_alias=True)
        self.keep(**{name: facts[name] for name in ("sha256", "protocol", "sampling", "results", "provenance")})
        say(found.table())
