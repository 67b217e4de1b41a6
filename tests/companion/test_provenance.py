import subprocess

import pytest

from companion import provenance


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / ".gitignore").write_text("/_build/\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "start"]):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", tmp_path, *who, *command], check=True)
    return tmp_path


def test_a_committed_checkout_is_clean(checkout):
    commit, dirty = provenance.git_state(checkout)
    assert len(commit) == 40 and not dirty


@pytest.mark.parametrize("name", ["results/laptop/x.json", "checkpoints/x.safetensors", "_build/x"])
def test_results_checkpoints_and_ignored_files_do_not_count(checkout, name):
    (checkout / name).parent.mkdir(parents=True)
    (checkout / name).write_text("")
    assert not provenance.git_state(checkout)[1]


@pytest.mark.parametrize("name", ["a.py", "new.py", "deep/results/x"])
def test_any_other_change_counts(checkout, name):
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("changed")
    assert provenance.git_state(checkout)[1]


def test_a_copy_without_git_is_unknown_and_dirty(tmp_path):
    assert provenance.git_state(tmp_path) == ("unknown", True)


def test_a_folder_inside_of_another_checkout_is_unknown(checkout):
    (checkout / "deep").mkdir()
    assert provenance.git_state(checkout / "deep") == ("unknown", True)


def test_no_git_at_all_is_unknown(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_state(checkout) == ("unknown", True)


def test_provenance_is_complete():
    made = provenance.Origin("no_such_page").provenance()
    assert made.versions.keys() >= {"python", "torch", "pydantic"}
    assert len(made.source_sha256) == 64
    assert made.device
    assert 10 < made.peak_memory_mb < 100_000


def test_memory_is_in_megabytes_on_linux_and_macos(monkeypatch):
    usage = type("Usage", (), {"ru_maxrss": 2_000_000})
    monkeypatch.setattr(provenance.resource, "getrusage", lambda who: usage)
    monkeypatch.setattr(provenance.sys, "platform", "darwin")
    assert provenance.peak_memory_mb() == 2
    monkeypatch.setattr(provenance.sys, "platform", "linux")
    assert provenance.peak_memory_mb() == 2048


def test_the_source_hash_covers_the_page_and_what_it_imports_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "CHECKOUT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    page = tmp_path / "notebooks" / "example.py"

    def sha256(text):
        page.write_text(text)
        return provenance.page_sha256("example")

    assert sha256("x = 1") != sha256("x = 2")
    assert sha256("x = 1") != sha256("import companion.seeds\nx = 1")
    page.unlink()
    assert provenance.page_sha256("example") == provenance.page_sha256("other")  # all of paperlib
