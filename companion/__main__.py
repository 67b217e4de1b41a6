"""One command for everything: ``python -m companion NAME ...``; ``--help`` lists the names."""

import importlib
import sys

__all__ = ["COMMANDS", "main"]

#: name -> the module whose ``main`` it is, and what it does.
COMMANDS = {
    "book": ("companion.workflow", "compute what is stale and build the book (make book)"),
    "page": ("companion.execute", "execute one page, with its own parameters or others (make page)"),
    "record": ("companion.record", "keep what a page measured, in results/ (make record)"),
    "campaign": ("companion.campaign.plan", "train and evaluate the base models that are missing; --plan says which"),
    "cost": ("companion.cost", "say what paper costs on this device (make book PROFILE=paper PLAN=yes)"),
    "reach": ("companion.reaching", "see which printed cells every page reaches, into results/reach.json"),
    "rehearse": ("companion.rehearse", "go the way of paper with every amount divided (make rehearse)"),
    "weights": ("companion.weights", "give a base model of a paper's size weights that others have trained"),
    "trials": ("companion.campaign.trials", "short trainings at equal time, to find a base model's recipe"),
    "classifier": ("companion.classifier_training", "train the classifier of a data set"),
    "noisy-classifier": ("companion.noisy_classifiers", "train the classifier of noisy images of a data set"),
    "captioned": ("companion.captioned", "train the small text-to-image model"),
    "evaluate": ("companion.evaluate", "measure a checkpoint: FID, UR, likelihoods and the rest"),
    "search-alpha": ("companion.studies.sgu_search", "search SGU's alpha, which the paper does not print"),
    "search-prompts": ("companion.studies.latent_search", "search every method's settings for forgetting by prompt"),
    "search": ("companion.comparison.search", "search every method's settings on held-out images"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the first argument names with the others; return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help"):
        print("python -m companion NAME ...\n")
        print("\n".join(f"  {name:16} {what}" for name, (_, what) in COMMANDS.items()))
        return 0
    if words[0] not in COMMANDS:
        print(f"{words[0]!r} is not one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[words[0]][0])
    sys.argv = [f"python -m companion {words[0]}", *words[1:]]  # what --help and errors say
    return module.main() or 0


if __name__ == "__main__":
    sys.exit(main())
