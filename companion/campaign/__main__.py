"""The campaign from the command line: ``python -m companion campaign --plan``."""

from companion.campaign.plan import main

if __name__ == "__main__":
    main()
