"""Settings for all tests: one torch thread, as in the pages, and tests of real data only if the data are present."""

import os

import pytest
import torch

torch.set_num_threads(1)


def pytest_collection_modifyitems(config, items):
    """Skip the tests of real data sets unless ``PAPERLIB_DATA`` says where they are, and GPU tests without a GPU."""
    absent = {"realdata": "PAPERLIB_DATA" not in os.environ, "gpu": not torch.cuda.is_available()}
    left_out = [item for item in items if any(gone and item.get_closest_marker(mark) for mark, gone in absent.items())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def build_folder_of_its_own(tmp_path, monkeypatch):
    """Keep tests away from the checkout's ``_build``."""
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "_build"))
