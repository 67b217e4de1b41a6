"""The packages' floors: no import runs upward, and none in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCIENCE = [
    {"checks", "extras"},
    {"processes", "nets", "data", "intervals"},
    {"denoiser", "guidance", "negation"},
    {"losses"},
    {"training", "sampling", "likelihood", "editing", "dng"},
    {"unlearning", "metrics"},
]
MACHINERY = [
    {"", "plots"},
    {"evaluation"},
    {"comparison"},
    {"models", "measures"},
    {"studies"},
    {"campaign"},
    {"evaluate", "rehearse"},
    {"cost", "reaching"},
]
# The machinery stands on the science, never the other way round.
FLOORS = [{f"paperlib.{name}" for name in floor} for floor in SCIENCE]
FLOORS += [{f"companion.{name}".rstrip(".") for name in floor} for floor in MACHINERY]


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


PACKAGES = {"paperlib", "companion"}
MODULES = {dotted(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imports(module):
    """Return the package's modules that one module imports, wherever in its code it does so."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module if MODULES[module].stem == "__init__" else module.rpartition(".")[0]
                around = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*around, *filter(None, [node.module])])
            names |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names}
    return sorted(names & MODULES.keys())


def floor(module):
    """Return the floor of the innermost package that has one."""
    parts = module.split(".")
    names = [".".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
    return next((number for name in names for number, floor in enumerate(FLOORS) if name in floor), None)


@pytest.mark.parametrize("module", sorted(MODULES.keys() - PACKAGES))
def test_no_import_runs_upward(module):
    assert floor(module) is not None, f"{module} has no floor"
    assert [name for name in imports(module) if name not in PACKAGES and floor(name) > floor(module)] == []


def test_no_import_runs_in_a_circle():
    def walk(module, path):
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for name in imports(module):
                walk(name, [*path, module])
            done.add(module)

    done = set()
    for module in MODULES:
        walk(module, [])
