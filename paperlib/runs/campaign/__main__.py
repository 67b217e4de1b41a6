"""The campaign from the command line: ``python -m paperlib.runs.campaign --plan``."""

from paperlib.runs.campaign.plan import main

if __name__ == "__main__":
    main()
