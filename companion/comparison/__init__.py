"""All methods on one bench: the settings that a search chose, the runs, and their results."""
