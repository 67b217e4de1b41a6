"""Every command refuses a wrong option, with one line that names it, before doing any work."""

import pytest
import torch

from companion.__main__ import main
from companion.options import folder_path, natural_int, non_negative, positive_int

FILE = "{file}"
WRONG = [
    (["nosuch"], "'nosuch' is not one of book, page"),
    (["book", "--jobs", "0"], "--jobs: '0' is not a whole number of at least 1"),
    (["book", "--jobs", "two"], "--jobs: 'two' is not a whole number of at least 1"),
    (["book", "--only", "nopage"], "--only nopage is not one of"),
    (["page", "nopage"], "there is no page 'nopage'"),
    (["page", "sgu_tab1_mixture_nll", "-p", "alfa", "1"], "alfa is not a parameter"),
    (["record", "sgu_tab1_mixture_nll", "--profile", "smoke"], "smoke is never recorded"),
    (["campaign", "--minutes", "nan"], "--minutes: 'nan' is not a number of at least 0"),
    (["campaign", "--minutes", "-1"], "--minutes: '-1' is not a number of at least 0"),
    (["campaign", "--folder", FILE, "--only", "digits-ve"], "is no folder"),
    (["campaign", "--folder", f"{FILE}/below", "--only", "digits-ve"], "is a file"),
    (["campaign", "--plan", "--only", "nosuch"], "--only nosuch is not one of digits-ve"),
    (["cost", "--profile", "laptop"], "PLAN=yes is of PROFILE=paper"),
    (["reach", "--all"], "unrecognized arguments: --all"),
    (["rehearse", "nopage"], "nopage is not one of"),
    (["rehearse", "--divisor", "0"], "--divisor: '0' is not a whole number of at least 1"),
    (["weights", "nosuch", FILE], "name='nosuch' is not one of"),
    (["weights", "erasediff-cifar10-ddpm-labels", FILE], "cannot be read as weights"),
    (["weights", "erasediff-cifar10-ddpm-labels", "/no/such"], "there are no weights at /no/such"),
    (["trials", "cifar10", "--only", "nosuch"], "--only 'nosuch' is not one of 64 wide"),
    (["trials", "cifar10", "--minutes", "inf"], "--minutes: 'inf' is not a number of at least 0"),
    (["classifier", "nosuch"], "invalid choice: 'nosuch'"),
    (["classifier", "digits", "--seed", "-1"], "--seed: '-1' is not a whole number of at least 0"),
    (["noisy-classifier", "digits", "--seed", "1.5"], "--seed: '1.5' is not a whole number of at least 0"),
    (["evaluate", "nosuch", "--metrics", "nll"], "checkpoint='nosuch' is neither"),
    (["search", "digits-ddpm", "--forget", "77"], "digits has no class '77'"),
    (["search", "digits-ddpm", "--forget", "3", "--folder", FILE], "is no folder"),
]


@pytest.mark.parametrize("words, message", WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_option_is_refused_in_one_line_that_names_it(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "build"))
    file = tmp_path / "file"
    file.write_text("neither weights nor a folder")
    try:
        status = main([word.replace(FILE, str(file)) for word in words])
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr().err + (status if isinstance(status, str) else "")
    assert status not in (0, None) and message in said and "Traceback" not in said
    assert not (tmp_path / "build" / "store").exists()


def test_weights_that_are_no_weights_are_refused(tmp_path, capsys):
    torch.save(torch.zeros(3), file := tmp_path / "a.pt")
    assert main(["weights", "erasediff-cifar10-ddpm-labels", str(file)]) == 2
    assert "holds no weights, but a Tensor" in capsys.readouterr().err


def test_what_is_right_is_taken(tmp_path):
    assert positive_int("3") == 3 and natural_int("0") == 0 and non_negative("0.5") == 0.5
    assert folder_path(str(tmp_path / "new" / "deep")) == tmp_path / "new" / "deep"
