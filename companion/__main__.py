"""One command for everything: ``python -m companion NAME ...``; ``--help`` lists the names."""

import importlib
import sys

__all__ = ["COMMANDS", "main"]

#: name -> the module whose ``main`` runs, and what the command does.
COMMANDS = {
    "book": ("companion.workflow", "compute what is out of date and build the book (make book)"),
    "page": ("companion.execute", "execute one page, with its default parameters or others (make page)"),
    "record": ("companion.record", "copy a page's results to results/, ready to commit (make record)"),
    "stale": ("companion.again", "list the records of earlier models, with the commands that record them again"),
    "campaign": ("companion.campaign.plan", "train and evaluate the missing base models; --plan lists them"),
    "cost": ("companion.cost", "estimate the cost of profile paper on this device (make book PROFILE=paper PLAN=yes)"),
    "reach": ("companion.reaching", "list the printed cells that each page covers, in results/reach.json"),
    "rehearse": ("companion.rehearse", "run profile paper with every amount scaled down (make rehearse)"),
    "weights": ("companion.weights", "import published weights for a base model of a paper's size"),
    "trials": ("companion.campaign.trials", "compare short training runs of equal time, to find a base model's recipe"),
    "classifier": ("companion.classifier_training", "train the classifier of a data set"),
    "noisy-classifier": ("companion.noisy_classifiers", "train the classifier of a data set's noisy images"),
    "captioned": ("companion.captioned", "train the small text-to-image model"),
    "evaluate": ("companion.evaluate", "evaluate a checkpoint: FID, UR, likelihoods and other metrics"),
    "search-alpha": ("companion.studies.sgu_search", "search SGU's alpha, which the paper does not print"),
    "search-labels": ("companion.studies.label_search", "search each method's settings for EraseDiff's Table 1"),
    "search-prompts": ("companion.studies.latent_search", "search each method's settings for forgetting by prompt"),
    "search": ("companion.comparison.search", "search each method's settings on held-out images"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command named by the first argument with the other arguments; return its exit status."""
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
