"""The long runs, the most useful first: base models, their evaluations, and the comparison's seeds."""
