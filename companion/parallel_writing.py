"""A Sphinx extension that reads the pages one after another and writes them in ``writers`` parallel processes.

``jupyter-book build`` has no option for it. Reading cannot be parallel: sphinx_proof says that it can, but has no
method to merge the parts.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["setup"]


def setup(app: "Sphinx") -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.add_config_value("writers", 1, rebuild="", types=[int])
    app.connect("env-updated", _share)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _share(app: "Sphinx", env: "BuildEnvironment") -> None:
    """Set the number of processes once everything is read: from here on Sphinx only writes."""
    app.parallel = app.config.writers
