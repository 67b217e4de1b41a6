import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pytest

import companion
from companion.code import imported_files
from companion.settings import Settings
from companion.store import Entry, Store


class Config(Settings):
    size: int = 3


calls = []


def write(folder, config, word="a"):
    calls.append(config)
    (folder / "words.txt").write_text(word * (config.size if isinstance(config, Config) else 3))
    (folder / "deep").mkdir(exist_ok=True)
    (folder / "deep" / "numbers.bin").write_bytes(bytes(range(100)))


def other(folder, config):
    (folder / "out").write_text("other")


def fail(folder, config):
    (folder / "resume.pt").write_text("half way")
    raise RuntimeError("out of memory")


def resume(folder, config):
    (folder / "found").write_text((folder / "resume.pt").read_text())
    (folder / ".cache").write_text("")


def nothing(folder, config):
    pass


def claims_the_manifest(folder, config):
    (folder / "manifest.json").write_text("{}")


@pytest.fixture
def store(tmp_path):
    calls.clear()
    return Store(tmp_path / "store")


def test_a_step_is_computed_once(store):
    first = store.step("write", Config(), write)
    assert (first.path / "words.txt").read_text() == "aaa"
    assert store.step("write", Config(), write) == first == Store(store.folder).step("write", Config(), write)
    assert len(calls) == 1


def test_config_name_inputs_function_and_bound_arguments_each_make_another_entry(store):
    base = store.step("write", Config(), write)
    steps = [
        store.step("write", Config(size=4), write),
        store.step("rewrite", Config(), write),
        store.step("write", Config(), write, inputs=["0" * 64]),
        store.step("write", Config(), write, inputs=[base]),
        store.step("write", Config(), partial(write, word="b")),
        store.step("write", Config(), partial(write, word="c")),
        store.step("write", Config(), other),
    ]
    assert len({base.path, *(step.path for step in steps)}) == 8


def test_an_input_counts_by_its_contents_not_by_its_place(tmp_path):
    bound = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        base = Store(folder).step("write", Config(), write)
        bound.append(Store(folder).step("next", {}, partial(other_with, base.path / "words.txt"), inputs=[base]))
    assert bound[0].path.name == bound[1].path.name


def other_with(path, folder, config):
    (folder / "out").write_text(path.read_text())


def test_what_has_no_stable_name_is_refused(store):
    with pytest.raises(ValueError, match="outside of this step's inputs"):
        store.step("next", {}, partial(other_with, Path("words.txt")))
    with pytest.raises(ValueError, match="has no module of its own"):
        store.step("next", {}, lambda folder, config: None)
    with pytest.raises(TypeError, match="a set cannot be part"):
        store.step("next", {"classes": {1}}, write)
    with pytest.raises(ValueError, match=r"name='a/b' is not allowed"):
        store.step("a/b", {}, write)
    with pytest.raises(ValueError):
        store.step("next", {"gamma": float("nan")}, write)


@pytest.mark.parametrize("damage", ["truncated", "altered", "gone", "added", "manifest", "manifest gone"])
def test_damage_is_noticed_named_and_repaired(store, damage):
    entry = store.step("write", Config(), write)
    file = entry.path / ("manifest.json" if "manifest" in damage else "deep/numbers.bin")
    contents = file.read_bytes()
    match damage:
        case "truncated":
            file.write_bytes(contents[:50])
        case "altered":
            file.write_bytes(b"\x01" + contents[1:])
        case "added":
            file = file.with_name("more.bin")
            file.write_bytes(b"")
        case "manifest":
            file.write_text(json.dumps(json.loads(contents) | {"files": {}}))
        case _:
            file.unlink()
    with pytest.warns(UserWarning, match=file.name):
        again = store.step("write", Config(), write)
    assert again == entry and len(calls) == 2
    assert (again.path / "deep/numbers.bin").read_bytes() == bytes(range(100))
    assert Path(f"{entry.path}.damaged-1").is_dir()


def test_a_failure_leaves_no_entry_and_the_next_run_finds_the_snapshot(store, monkeypatch):
    with pytest.raises(RuntimeError, match="out of memory"):
        store.step("work", {}, fail)
    assert not [path for path in store.folder.iterdir() if path.is_dir() and path.suffix != ".partial"]
    monkeypatch.setattr(resume, "__qualname__", "fail")  # repaired, under the same key
    entry = store.step("work", {}, resume)
    assert (entry.path / "found").read_text() == "half way"
    assert sorted(path.name for path in entry.path.iterdir()) == ["found", "manifest.json"]


@pytest.mark.parametrize(("compute", "message"), [(nothing, "wrote no file"), (claims_the_manifest, "manifest.json")])
def test_a_step_that_cannot_be_sealed_is_an_error(store, compute, message):
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            store.step("work", {}, compute)


def test_a_kill_between_sealing_and_moving_costs_nothing(store, monkeypatch):
    def killed(path, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", killed)
        store.step("write", Config(), write)
    assert isinstance(store.step("write", Config(), write), Entry)
    assert len(calls) == 1


SLOW = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from companion.store import Store

    def compute(folder, config):
        snapshot = folder / "resume.txt"
        done = int(snapshot.read_text()) if snapshot.exists() else 0
        with open(Path(sys.argv[1]) / "calls.txt", "a") as file:
            file.write(f"{done}\\n")
        for step in range(done, config["steps"]):
            draft = folder / ".draft"
            draft.write_text(str(step + 1))
            draft.replace(snapshot)
            time.sleep(0.02)
        (folder / "result.txt").write_text(str(config["steps"]))

    if __name__ == "__main__":
        print(Store(Path(sys.argv[1]) / "store").step("slow", {"steps": 40}, compute).path)
    """
)


def start(folder):
    script = folder / "slow.py"
    script.write_text(SLOW)
    return subprocess.Popen([sys.executable, script, folder], stdout=subprocess.PIPE, text=True)


def wait_for(folder, pattern):
    end = time.monotonic() + 20
    while not list(folder.glob(pattern)):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_killed_run_resumes_from_its_snapshot(tmp_path):
    process = start(tmp_path)
    wait_for(tmp_path, "store/*.partial/resume.txt")
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert [path.suffix for path in (tmp_path / "store").iterdir() if path.is_dir()] == [".partial"]
    output, _ = start(tmp_path).communicate(timeout=20)
    entry = Path(output.strip())
    assert sorted(path.name for path in entry.iterdir()) == ["manifest.json", "result.txt"]
    first, second = (tmp_path / "calls.txt").read_text().split()
    assert first == "0" and int(second) > 0


def test_two_processes_compute_once(tmp_path):
    processes = [start(tmp_path), start(tmp_path)]
    outputs = {process.communicate(timeout=30)[0] for process in processes}
    assert len(outputs) == 1 and outputs != {""}
    assert (tmp_path / "calls.txt").read_text().split() == ["0"]


STEPS = textwrap.dedent(
    """
    from pathlib import Path
    from companion.store import Store
    from paperlib import first, second
    print(paperlib_file := Path(first.__file__).parent)
    for module in (first, second):
        print(Store("store").step(module.__name__, {}, module.compute).path.name)
    """
)


def test_a_changed_module_changes_only_the_steps_that_import_it(tmp_path):
    source = Path(companion.__file__).parents[1]
    copy = tmp_path / "paperlib"
    copy.mkdir()
    (copy / "__init__.py").touch()
    for file in imported_files("companion.store"):
        (tmp_path / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / file.relative_to(source))
    (copy / "tool.py").write_text("value = 1\n")
    (copy / "first.py").write_text(
        "def compute(folder, config):\n    from paperlib.tool import value\n    (folder / 'a').write_text(str(value))\n"
    )
    (copy / "second.py").write_text("def compute(folder, config):\n    (folder / 'a').write_text('2')\n")

    def keys():
        output = subprocess.run(
            [sys.executable, "-c", STEPS], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        ).stdout.split()  # fmt: skip
        assert Path(output[0]) == copy
        return output[1:]

    before = keys()
    (copy / "tool.py").write_text('"""A tool."""\n\nvalue = 1  # one\n')
    assert keys() == before  # editing comments or docstrings recomputes nothing
    (copy / "tool.py").write_text("value = 3\n")
    after = keys()
    assert before[0] != after[0] and before[1] == after[1]


def test_has_says_what_step_would_find(store):
    assert not store.has("words", Config(size=1), write)
    store.step("words", Config(size=1), write)
    assert store.has("words", Config(size=1), write) and not store.has("words", Config(size=2), write)
