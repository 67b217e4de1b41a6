"""Every figure, in one style.

A figure takes a record, so that what was recorded and what was just measured are drawn by the same code.
"""

from paperlib.plots.comparison import conflict_panels, course_panels, direction_panels, relearning_grid
from paperlib.plots.courses import course_curves, needed_weight
from paperlib.plots.forgetting import case_intervals, fooled_pairs
from paperlib.plots.glance import forgetting_plane, glance_sheet
from paperlib.plots.images import contact_sheet, picture, save_sheet
from paperlib.plots.mixture import frontier_plane, likelihoods, sample_panels, score_errors, score_fields
from paperlib.plots.sampling import bound_terms, nll_histograms, sampler_curves
from paperlib.plots.sgu import side_histograms
from paperlib.plots.style import COLOURS, LABELS, interval, use_style
from paperlib.plots.tables import over_interval, table
from paperlib.plots.vdu import gamma_sweep, posterior_widths

__all__ = [
    "over_interval",
    "table",
    "COLOURS",
    "LABELS",
    "bound_terms",
    "case_intervals",
    "conflict_panels",
    "contact_sheet",
    "course_curves",
    "course_panels",
    "direction_panels",
    "fooled_pairs",
    "forgetting_plane",
    "frontier_plane",
    "gamma_sweep",
    "glance_sheet",
    "interval",
    "likelihoods",
    "needed_weight",
    "nll_histograms",
    "picture",
    "posterior_widths",
    "relearning_grid",
    "sample_panels",
    "sampler_curves",
    "save_sheet",
    "score_errors",
    "score_fields",
    "side_histograms",
    "use_style",
]
