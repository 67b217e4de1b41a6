"""Unlearning methods, a file each.

Every method is a plain call, ``method(model, forget, retain, *, generator, ...)``, that validates at once, leaves
``model`` untouched and returns a :class:`paperlib.training.Training`: iterate it, read ``.model`` whenever you like,
``.state_dict()`` resumes to the bit. ``steps`` is its budget, ``max_seconds`` another beside it.
"""
