"""Bits per dimension, and the offset between a density and the probability of one of 256 levels.

A pixel u8 is dequantised to 2 (u8 + u) / 256 - 1 with u uniform on [0, 1): each level becomes an interval of width
2 / 256 = 1 / 128, the levels fill [-1, 1], and a density p on D such pixels gives an image the probability
P = int p over a cube of side 1 / 128. By Jensen's inequality::

    -log2 P  <=  E_u[-log2 p(x)] + D log2(128)                       in bits per dimension: + 7

with equality where p is constant on the cube. So an NLL of dequantised pixels plus 7 is an upper bound of the cost of a
lossless code of the 8-bit image, and comparable with a model of levels, such as the DDPM's bound. The offset depends
only on the scale: for data scaled to [0, 1] a level is 1 / 256 wide and the offset is 8. Those are the 7 and the 8 of
score_sde, which adds 7 - inverse_scaler(-1), where inverse_scaler maps the model's scale to [0, 1]: -1 becomes 0 if the
data are centred, and stays -1 if they are not. For data that never had levels either offset is meaningless.
"""

import math

from torch import Tensor

from paperlib.checks import need_positive

__all__ = ["LEVELS_OFFSET", "SCORE_SDE_OFFSET", "bits_per_dim"]

#: Offsets in bits per dimension for 256 levels on [-1, 1], which score_sde calls "centred", and on [0, 1].
SCORE_SDE_OFFSET = {"uncentred": 8, "centred": 7}
#: The offset for dequantised pixels as :func:`paperlib.data.images.model_input` scales them.
LEVELS_OFFSET = SCORE_SDE_OFFSET["centred"]


def bits_per_dim(nats: Tensor | float, dims: int, offset: float = 0.0) -> Tensor | float:
    """Convert nats to bits per dimension and add the ``offset`` of quantised data (``SCORE_SDE_OFFSET``)."""
    need_positive(dims=dims)
    return nats / (dims * math.log(2)) + offset
