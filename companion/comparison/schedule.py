"""When to look at a run, and with how many images: shared by unlearning and relearning."""

from pydantic import Field, field_validator

from companion.settings import Settings

__all__ = ["Looks"]


class Looks(Settings):
    """A run of Adam with one batch size, and its looks: evaluations of the model's samples."""

    forget: str
    looks: tuple[int, ...] = Field(min_length=1)  # ascending; the last one ends the run
    batch_size: int = Field(gt=0)
    lr: float = Field(gt=0)
    n: int = Field(gt=19)  # images per look
    evaluations: int = Field(gt=0)  # of iPNDM, per image
    seed: int = Field(0, ge=0)

    @field_validator("looks")
    @classmethod
    def _ascending(cls, looks: tuple[int, ...]) -> tuple[int, ...]:
        if looks[0] < 1 or any(a >= b for a, b in zip(looks, looks[1:])):
            raise ValueError(f"looks={looks} are not ascending numbers of updates from 1 on")
        return looks
