"""Display names of data sets, processes and methods."""

__all__ = ["DATA", "METHODS", "PROCESSES", "data_title", "method_title"]

DATA = {
    "mixture": "the exact mixture",
    "mnist": "MNIST",
    "digits": "scikit-learn's digits",
    "cifar10": "CIFAR-10",
    "shapes": "shapes",
    "stl10": "STL-10",
    "celeba": "CelebA",
    "avatars": "avatars",
    "imagenette": "Imagenette",
    "coco": "COCO",
    "captioned": "captioned shapes",
    "sd14": "Stable Diffusion's architecture",
}
PROCESSES = {"vesde": "VE", "ve": "VE", "vpsde": "VP", "vp": "VP", "ddpm": "DDPM", "sd14": "Stable Diffusion 1.4"}
METHODS = {
    "standard": "Standard",
    "pretrained": "before",
    "before": "before",
    "clean": "originals",
    "unscrubbed": "Unscrubbed",
    "unseen": "Unseen",
    "retrained": "retrained",
    "finetune": "Fine-tune",
    "neggrad": "NegGrad",
    "blindspot": "BlindSpot",
    "selective_amnesia": "Selective Amnesia",
    "salun": "SalUn",
    "esd": "ESD",
    "forget_me_not": "Forget-Me-Not",
    "multi_objective": "Multi-objective",
    "erasediff": "EraseDiff",
    "erasediff_rl": "EraseDiff, rl",
    "erasediff_noise": "EraseDiff, noise",
    "erasediff_wc": "EraseDiff, wc",
    "orthogonal": "SGU orthogonal",
    "obtuse": "SGU obtuse",
    "sgu_orthogonal": "SGU orthogonal",
    "sgu_obtuse": "SGU obtuse",
    "sgu_code": "SGU, its public code",
    "vdu": "VDU",
    "vdu_ours": "VDU, our settings",
    "signed": "Signed (after SISS)",
    "redirect": "Redirect (after ReTrack)",
    "siss": "SISS",
    "retrack": "ReTrack",
    "without": "Negation while sampling",
    "without_finer": "Negation while sampling, finer steps",
    "negate": "Negate, in the weights",
    "erasediff_noxattn": "EraseDiff, no cross-attention",
    "esd_x": "ESD-x",
    "esd_u": "ESD-u",
    "negate_answers": "Negate, own answers for the rest",
    "negate_own": "Negate, without data",
}


def data_title(dataset: str) -> str:
    """Return a data set's display name; an unknown name is returned as it is."""
    return DATA.get(dataset, dataset)


def method_title(method: str) -> str:
    """Return a method's display name; an unknown name is returned as it is. The suffix ``_searched`` stands for the
    settings of a search instead of the published ones."""
    name, searched, _ = method.partition("_searched")
    return METHODS.get(name, name) + (", searched" if searched else "")
