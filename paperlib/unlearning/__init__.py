"""Unlearning methods, one file each.

Every method is a plain call, ``method(model, forget, retain, *, generator, ...)``. It validates its arguments at once,
leaves ``model`` untouched and returns a :class:`paperlib.training.Training`: iterate over it and read ``.model`` at any
time. A run resumed from ``.state_dict()`` is the same to the bit. ``steps`` limits the number of updates, and
``max_seconds`` may limit the time as well.
"""
