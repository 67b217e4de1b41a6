"""What every test relies on: one torch thread, as in the pages, and the real data only where they are."""

import os

import pytest
import torch

torch.set_num_threads(1)


def pytest_collection_modifyitems(config, items):
    """Leave out the tests of the real data sets where ``PAPERLIB_DATA`` does not say where those are, and those of a
    GPU where there is none."""
    absent = {"realdata": "PAPERLIB_DATA" not in os.environ, "gpu": not torch.cuda.is_available()}
    left_out = [item for item in items if any(gone and item.get_closest_marker(mark) for mark, gone in absent.items())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def build_folder_of_its_own(tmp_path, monkeypatch):
    """Keep tests away from the checkout's ``_build``."""
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "_build"))
