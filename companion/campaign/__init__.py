"""The long runs, in the order of their worth: base models, what they are worth, and the comparison's seeds."""
