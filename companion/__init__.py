"""How a page runs: its base models and classifiers, the store of computed steps, and its record.

The steps themselves are in the packages below: ``evaluation`` (measures of a model), ``comparison`` (all methods on one
bench), ``studies`` (steps of single pages) and ``campaign`` (the long runs, the most useful first).
"""
