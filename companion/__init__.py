"""How a page runs: what it starts from (base models, classifiers), the store of computed steps, its record.

What the steps compute is in the packages below: ``evaluation`` (what a model is worth), ``comparison`` (all methods on
one bench), ``studies`` (the steps of single pages) and ``campaign`` (the long runs, in the order of their worth).
"""
