"""A Sphinx extension: the pages are read one after another, and written by ``writers`` processes at once.

``jupyter-book build`` has no option for it. Reading cannot be shared: sphinx_proof says that it can and then has no
method to put the parts together.
"""

from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

__all__ = ["setup"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the extension known to Sphinx."""
    app.add_config_value("writers", 1, rebuild="", types=[int])
    app.connect("env-updated", _share)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _share(app: Sphinx, env: BuildEnvironment) -> None:
    """All is read: from here on Sphinx asks how many processes it may have, and only writes."""
    app.parallel = app.config.writers
