"""The benchmarks run, at a tiny size; what runs them keeps their tables and names what broke."""

import importlib.util
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.parametrize("script", [p.name for p in sorted(BENCHMARKS.glob("*.py")) if not p.name.startswith("_")])
def test_every_benchmark_prints_a_table_and_names_the_machine(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, "--smoke"])
    monkeypatch.syspath_prepend(BENCHMARKS)
    runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("## ")
    assert re.search(r", 1 thread\(s\) of \d+, torch ", lines[2])
    columns = {line.count("|") for line in lines[4:] if line}
    assert len(columns) == 1 and columns.pop() > 2
    assert set(lines[5]) == {"|", "-"} and len(lines) > 6


def test_contestants_take_turns_and_their_medians_leave_the_warm_up_out():
    spec = importlib.util.spec_from_file_location("_measure", BENCHMARKS / "_measure.py")
    measure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(measure)
    order, seconds = [], {"a": iter([9.0, 9.0, 1.0, 2.0, 6.0]), "b": iter([0.0, 0.0, 5.0, 3.0, 4.0])}

    def step(name):
        order.append(name)
        return next(seconds[name])

    medians = measure.interleaved({"a": lambda: step("a"), "b": lambda: step("b")}, rounds=3)
    assert medians == {"a": 2.0, "b": 4.0}
    assert order == ["a", "b"] * 5


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
