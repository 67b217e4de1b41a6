"""When a run is looked at, and with how many images: what unlearning and relearning have in common."""

from pydantic import Field, field_validator

from companion.settings import Settings

__all__ = ["Looks"]


class Looks(Settings):
    """A run of Adam on batches of one size, and the looks at what its model draws."""

    forget: str
    looks: tuple[int, ...] = Field(min_length=1)  # ascending; the last one ends the run
    batch_size: int = Field(gt=0)
    lr: float = Field(gt=0)
    n: int = Field(gt=19)  # images of a look
    evaluations: int = Field(gt=0)  # of iPNDM, an image
    seed: int = Field(0, ge=0)

    @field_validator("looks")
    @classmethod
    def _ascending(cls, looks: tuple[int, ...]) -> tuple[int, ...]:
        if looks[0] < 1 or any(a >= b for a, b in zip(looks, looks[1:])):
            raise ValueError(f"looks={looks} are not ascending numbers of updates from 1 on")
        return looks
