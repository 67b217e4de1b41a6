"""The benchmarks run at a tiny size; their runner keeps the tables and names what failed."""

import importlib.util
import math
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from paperlib.denoiser import ExactDenoiser
from paperlib.likelihood.divergence import draw_probes
from paperlib.metrics.frechet import Frechet
from paperlib.processes import VP
from tests.likelihood.test_flow import gaussian_log_likelihood
from tests.oracles import GAUSSIAN, seeded

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"


def smoke(script, monkeypatch, capsys):
    """Return the output of a benchmark at its smallest size."""
    monkeypatch.setattr(sys, "argv", [script, "--smoke"])
    monkeypatch.syspath_prepend(BENCHMARKS)
    runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
    return capsys.readouterr().out


def loaded(name, monkeypatch):
    """Load a benchmark's functions."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("script", [p.name for p in sorted(BENCHMARKS.glob("*.py")) if not p.name.startswith("_")])
def test_every_benchmark_prints_tables_and_names_the_machine(script, monkeypatch, capsys):
    before, *sections = re.split("^## ", smoke(script, monkeypatch, capsys), flags=re.MULTILINE)
    assert before == "" and sections
    for section in sections:
        lines = section.splitlines()
        assert re.search(r", 1 thread\(s\) of \d+, torch ", lines[2])
        columns = {line.count("|") for line in lines[4:] if line}
        assert len(columns) == 1 and columns.pop() > 2
        assert set(lines[5]) == {"|", "-"} and len(lines) > 6


def test_contestants_take_turns_and_their_medians_leave_the_warm_up_out(monkeypatch):
    measure = loaded("_measure", monkeypatch)
    order, seconds = [], {"a": iter([9.0, 9.0, 1.0, 2.0, 6.0]), "b": iter([0.0, 0.0, 5.0, 3.0, 4.0])}

    def step(name):
        order.append(name)
        return next(seconds[name])

    medians = measure.interleaved({"a": lambda: step("a"), "b": lambda: step("b")}, rounds=3)
    assert medians == {"a": 2.0, "b": 4.0}
    assert order == ["a", "b"] * 5


def distance(low, high):
    return Frechet((low + high) / 2, (low, high), n=2, reference_n=2, network="none")


def test_a_distance_is_no_worse_where_its_interval_overlaps_or_lies_below(monkeypatch):
    no_worse = loaded("samplers", monkeypatch).no_worse
    chain = distance(2.0, 3.0)
    assert no_worse(distance(2.9, 4.0), chain) and no_worse(distance(0.5, 1.0), chain)
    assert not no_worse(distance(3.1, 4.0), chain)


def test_the_interval_of_a_median_holds_it_95_times_in_100(monkeypatch):
    """The 6th and 15th of 20 values enclose the median with probability 0.959; 0.018 is four standard errors."""
    median_interval = loaded("samplers", monkeypatch).median_interval
    assert median_interval([3.0]) == (3.0, 3.0, 3.0)
    assert median_interval([4.0, 1.0, 2.0, 9.0]) == (3.0, 1.0, 9.0)
    draws = torch.rand(2000, 20, generator=seeded()).exp()
    held = [low <= math.exp(0.5) <= high for _, low, high in map(median_interval, draws.tolist())]
    assert abs(sum(held) / 2000 - 0.959) < 0.018


@pytest.mark.parametrize("passes", [1, 2])
def test_score_sde_s_recipe_is_the_closed_form_on_gaussian_data(passes, monkeypatch):
    """The Jacobian is diagonal, so one Rademacher vector is exact; RK45 takes some hundred steps at 1e-8."""
    x, model = torch.randn(5, 2, generator=seeded(), dtype=torch.float64), Counting(ExactDenoiser(GAUSSIAN, VP()))
    probes = draw_probes("rademacher", (5, 2), seeded(1)).double()
    log_p, asked = loaded("nll", monkeypatch).recipe(model, x, probes, passes=passes, tolerance=1e-8)
    assert torch.allclose(log_p, gaussian_log_likelihood(VP(), x)[0], atol=1e-5)
    assert model.count == passes * asked


class Counting:
    """A model that counts its evaluations."""

    def __init__(self, model):
        self.model, self.process, self.count = model, model.process, 0

    def __call__(self, *given):
        self.count += 1
        return self.model(*given)


def test_without_inception_s_weights_the_classifiers_are_measured_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    printed = smoke("features.py", monkeypatch, capsys)
    assert printed.count("not measured: its weights are not on this machine") == 1
    assert printed.count("classifier | ours |") == 4


def bench(folder, build, *arguments):
    shutil.copy(BENCHMARKS / "__main__.py", folder / "__main__.py")
    command = [sys.executable, folder, *arguments]
    return subprocess.run(command, env={"PAPERLIB_BUILD": str(build)}, capture_output=True, text=True, check=False)


def test_tables_are_printed_and_kept(tmp_path):
    (tmp_path / "b.py").write_text("import sys; print('table b', sys.argv[1:])")
    (tmp_path / "a.py").write_text("print('table a')")
    (tmp_path / "_shared.py").write_text("raise SystemExit('not a benchmark')")
    done = bench(tmp_path, tmp_path / "build", "--smoke", "--threads", "2")
    assert done.returncode == 0 and done.stderr == ""
    assert [line for line in done.stdout.splitlines() if line.startswith("table")] == [
        "table a",
        "table b ['--smoke', '--threads', '2']",
    ]
    kept = {path.name: path.read_text() for path in (tmp_path / "build" / "bench").iterdir()}
    assert kept == {"a.md": "table a\n", "b.md": "table b ['--smoke', '--threads', '2']\n"}


def test_a_benchmark_that_breaks_is_named_keeps_no_table_and_stops_no_other(tmp_path):
    (tmp_path / "a.py").write_text("print('half a table'); raise SystemExit(3)")
    (tmp_path / "b.py").write_text("print('table b')")
    (tmp_path / "build" / "bench").mkdir(parents=True)
    (tmp_path / "build" / "bench" / "a.md").write_text("the table of an earlier run")
    done = bench(tmp_path, tmp_path / "build")
    assert done.returncode == 1 and done.stderr == "did not run to the end: a.py\n"
    assert "table b" in done.stdout
    assert [path.name for path in (tmp_path / "build" / "bench").glob("*.md")] == ["b.md"]


def test_make_bench_runs_them_all():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", "bench"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ".venv/bin/python benchmarks" in done.stdout.splitlines()
