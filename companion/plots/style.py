"""The style of all figures: one colour for each method and each side of the data, safe for colour-blind readers."""

import matplotlib as mpl

__all__ = ["COLOURS", "LABELS", "use_style"]

# Okabe and Ito's palette (Color Universal Design, 2008), which stays distinct under common colour-vision deficiencies.
COLOURS = {
    "exact": "#000000",
    "paper": "#999999",
    "standard": "#0072B2",
    "unseen": "#56B4E9",
    "orthogonal": "#E69F00",
    "obtuse": "#D55E00",
    "signed": "#882255",  # from here on Paul Tol's muted scheme
    "redirect": "#332288",
    "negate": "#44AA99",
    "optimum": "#117733",
    "D_g": "#009E73",
    "D_f": "#CC79A7",
}
LABELS = {
    "standard": "Standard",
    "unseen": "Unseen",
    "orthogonal": "SGU orthogonal",
    "obtuse": "SGU obtuse",
    "signed": "signed (after SISS)",
    "redirect": "redirect (after ReTrack)",
    "negate": "negate (ours)",
    "optimum": "regression to the optimum",
    "paper": "printed",
    "exact": "exact",
    "D_g": r"retained, $D_g$",
    "D_f": r"forgotten, $D_f$",
}


def use_style() -> None:
    """Set the book's figure style, for desktop and phone, with a white background in the light and dark themes."""
    mpl.rcParams.update({
        "figure.facecolor": "white",
        "figure.dpi": 110,
        "savefig.dpi": 200,
        "savefig.bbox": "tight",
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "axes.axisbelow": True,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
    })  # fmt: skip
