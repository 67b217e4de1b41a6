import subprocess
import sys
from types import SimpleNamespace

import pytest

from companion import claims
from companion.claims.table import NOTHING, comparison, number, reasons, style
from companion.records import NotRun, measured

ROWS = ["sgu.tab1/D_g/standard", "sgu.tab1/D_f/unlearning"]


def value(claim, *per_seed):
    facts = {"unit": "bits/dim + 8", "n": 9, "dataset": "mixture", "method": "x", "protocol": {}}
    return measured(claim, per_seed, seeds=range(len(per_seed)), **facts)


RECORDED = SimpleNamespace(profile="laptop", values=[value(ROWS[0], 10.6, 10.62, 10.61)])
NOW = [value(ROWS[0], 10.7), NotRun(claim=ROWS[1], reason="no time")]


def test_columns_are_always_the_same():
    assert list(comparison(ROWS, this_run=NOW, profile="smoke")) == ["paper", "recorded", "this run"]
    judged = comparison(ROWS, recorded=RECORDED, this_run=NOW, profile="smoke")["verdict"]
    assert list(judged) == list(comparison(ROWS, recorded=RECORDED, profile="laptop")["verdict"])
    assert list(comparison(ROWS, profile="laptop")) == ["paper", "recorded", "this run", "verdict"]
    extra = {"exact": {ROWS[0]: 10.6168}}
    assert list(comparison(ROWS, profile="paper", extra=extra)) == ["paper", "exact", "recorded", "this run", "verdict"]


def test_each_number_stands_with_its_interval_in_its_column():
    frame = comparison(ROWS, recorded=RECORDED, this_run=NOW, extra={"exact": {ROWS[0]: 10.6168}}, profile="laptop")
    assert list(frame.index) == ["D_g, standard", "D_f, unlearning"]
    assert list(frame.iloc[0]) == ["10.91", "10.62", "10.61 [10.59, 10.63]", "10.70", "not reproduced"]
    assert list(frame.iloc[1]) == ["39.01", NOTHING, NOTHING, "not run", "not run"]


def test_the_verdict_judges_the_record_and_else_this_run():
    frame = comparison(ROWS, this_run=NOW, profile="laptop", cannot_be={ROWS[1]: "above the frontier"})
    assert list(frame["verdict"]) == ["inconclusive", "cannot be"]


def test_the_caption_names_unit_profiles_and_seeds():
    caption = comparison(ROWS, recorded=RECORDED, this_run=NOW, profile="smoke").attrs["caption"]
    for part in ("bits/dim + 8", "profile laptop, seeds 0, 1, 2", "profile smoke, seed 0", "95 % interval"):
        assert part in caption
    assert "brackets" not in comparison(ROWS, this_run=NOW, profile="smoke").attrs["caption"]


def test_claims_ids_and_our_own_rows_stand_side_by_side():
    rows = [claims.load()[ROWS[0]], "ours.example/a/b"]
    frame = comparison(rows, this_run=[value("ours.example/a/b", 1.234)], profile="laptop", labels={rows[1]: "ours"})
    assert list(frame.index) == ["D_g, standard", "ours"]
    assert list(frame.loc["ours"]) == [NOTHING, NOTHING, "1.23", NOTHING]
    with pytest.raises(KeyError, match="sgu.tab1/D_g/typo"):
        comparison(["sgu.tab1/D_g/typo"], profile="smoke")


def test_digits_are_those_that_the_paper_prints():
    rows = ["sgu.tab2_ur/mnist/vesde/3/standard", "vdu.tab1/mnist/0/vdu_pul", "erasediff.tab3/tench/salun_ua"]
    assert list(comparison(rows, profile="smoke")["paper"]) == ["11.0", "61.00", "100.00"]
    assert list(comparison(ROWS, profile="smoke", decimals=3)["paper"]) == ["10.910", "39.010"]


def test_numbers_have_no_negative_zero():
    assert number(-0.001) == "0.00"
    assert number(-0.01, (-0.012, 0.001), decimals=2) == "-0.01 [-0.01, 0.00]"
    assert number(None) == NOTHING


def test_html_scrolls_escapes_and_names_its_columns():
    frame = comparison(ROWS, recorded=RECORDED, this_run=NOW, profile="laptop", labels={ROWS[0]: "a < b"})
    page = style(frame)._repr_html_()
    assert page.startswith('<div class="comparison-frame" style="overflow-x: auto"')
    assert "a &lt; b" in page and "a < b" not in page
    assert 'class="column-verdict verdict-not-reproduced"' in page and 'class="column-this-run"' in page
    assert '<span class="interval" style="white-space: nowrap">[10.59, 10.63]</span>' in page
    assert page.count("<tr>") == 3
    assert "10.61 [10.59, 10.63]" in repr(style(frame))


def test_the_module_is_importable_without_pandas():
    code = "import sys; sys.modules['pandas'] = sys.modules['matplotlib'] = sys.modules['scipy'] = None\n"
    code += "import companion.claims.table, companion.claims.verdicts, companion.page, companion.store"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reasons_stand_once_each_with_their_rows():
    values = [
        NotRun(claim="vdu.tab2/mnist/1/0.1/pul", reason="too slow"),
        NotRun(claim="vdu.tab2/mnist/1/0.1/ufid", reason="too slow"),
        NotRun(claim="sgu.tab2_ur/stl10/vpsde/airplane/unseen", reason="no data"),
        value(ROWS[0], 10.7),
    ]
    text = "- *Not run*, too slow: tab2 mnist/1/0.1.\n- *Not run*, no data: tab2_ur stl10/vpsde/airplane."
    assert reasons(values) == text and reasons([]) == ""
