"""All figures, in one style.

A figure takes a record, so the same code plots committed records and the current run.
"""

from paperlib.extras import need

need("book", "matplotlib", "pandas")  # a clear message before a figure's own import fails

from companion.plots.comparison import compared_plane, conflict_panels, course_panels, relearning_grid
from companion.plots.courses import course_curves, courses_table, endings, needed_weight
from companion.plots.directions import conflict_table, direction_panels, inner_table
from companion.plots.erasediff import (
    erased_orders,
    erased_plane,
    erased_table,
    nearest,
    obeyed_table,
    protocol_moves,
    tried_plane,
)
from companion.plots.erasediff_ablation import ablated, ablated_means, ablation_curves, ablation_table
from companion.plots.erasediff_cost import cost_bars, cost_table, ratio
from companion.plots.forgetting import case_intervals, case_table, fooled_pairs
from companion.plots.glance import forgetting_plane, glance_sheet, looks_table, needs_table
from companion.plots.images import before_and_after, contact_sheet, picture, save_sheet
from companion.plots.inpainting import inpainting_table, restored_images
from companion.plots.latent import cast_table, latent_cost_table, prompts_plane, prompts_search_table, prompts_table
from companion.plots.measures import measures_table, ruled
from companion.plots.mixture import frontier_plane, likelihoods, sample_panels, score_errors, score_fields
from companion.plots.negation import (
    negation_plane,
    negation_table,
    negation_tasks,
    pull_table,
    pull_weights,
    recognised_table,
)
from companion.plots.posteriors import gammas, posterior_courses, posterior_ends, posterior_runs_table
from companion.plots.reconstruction import reconstruction_curves, reconstruction_table, returned_images
from companion.plots.sampling import bound_terms, likelihood_table, nll_histograms, sampler_curves, trace_curves
from companion.plots.sgu import finetuning_courses, side_histograms
from companion.plots.sgu_samples import sample_counts, sample_grid
from companion.plots.sgu_sweep import alpha_sweep, alpha_table
from companion.plots.style import COLOURS, LABELS, use_style
from companion.plots.tables import over_interval, table
from companion.plots.vdu import (
    bias,
    gamma_cells,
    gamma_sweep,
    posterior_table,
    posterior_widths,
    sweep_table,
    terms_table,
)
from companion.plots.vdu_rivals import (
    few_pairs,
    orders,
    orders_table,
    rival_pairs,
    rivals_table,
    same_noise_table,
    short_title,
    ufid_steps,
    ways_at,
)
from companion.plots.vdu_rivals_plane import rivals_plane

__all__ = [
    "ablated",
    "ablated_means",
    "ablation_curves",
    "ablation_table",
    "bias",
    "cost_bars",
    "cost_table",
    "ratio",
    "erased_orders",
    "erased_plane",
    "erased_table",
    "nearest",
    "obeyed_table",
    "protocol_moves",
    "orders",
    "orders_table",
    "rival_pairs",
    "rivals_plane",
    "ufid_steps",
    "ways_at",
    "rivals_table",
    "same_noise_table",
    "short_title",
    "alpha_sweep",
    "alpha_table",
    "inner_table",
    "inpainting_table",
    "restored_images",
    "over_interval",
    "table",
    "COLOURS",
    "LABELS",
    "before_and_after",
    "bound_terms",
    "case_intervals",
    "case_table",
    "compared_plane",
    "conflict_panels",
    "conflict_table",
    "contact_sheet",
    "course_curves",
    "courses_table",
    "course_panels",
    "direction_panels",
    "endings",
    "finetuning_courses",
    "fooled_pairs",
    "forgetting_plane",
    "frontier_plane",
    "gamma_cells",
    "gamma_sweep",
    "glance_sheet",
    "cast_table",
    "latent_cost_table",
    "prompts_plane",
    "prompts_search_table",
    "prompts_table",
    "measures_table",
    "likelihood_table",
    "likelihoods",
    "looks_table",
    "needed_weight",
    "needs_table",
    "negation_plane",
    "negation_table",
    "negation_tasks",
    "pull_table",
    "pull_weights",
    "nll_histograms",
    "picture",
    "few_pairs",
    "gammas",
    "posterior_courses",
    "posterior_ends",
    "posterior_runs_table",
    "posterior_table",
    "posterior_widths",
    "recognised_table",
    "reconstruction_curves",
    "reconstruction_table",
    "relearning_grid",
    "returned_images",
    "ruled",
    "sample_counts",
    "sample_grid",
    "sample_panels",
    "sampler_curves",
    "save_sheet",
    "score_errors",
    "score_fields",
    "side_histograms",
    "sweep_table",
    "terms_table",
    "trace_curves",
    "tried_plane",
    "use_style",
]
