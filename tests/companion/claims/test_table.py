import subprocess
import sys
from types import SimpleNamespace

import pytest

from companion import claims
from companion.claims.table import NOTHING, comparison, number, reasons, style
from companion.records import NotRun, measured

ROWS = ["sgu.tab1/D_g/standard", "sgu.tab1/D_f/unseen"]
CANNOT_BE, OTHER = "sgu.tab1/D_f/unlearning", "the exact mixture (VE), middle, D_f, SGU orthogonal"
LABELS = ["the exact mixture (VE), middle, D_g, Standard", "the exact mixture (VE), middle, D_f, Unseen"]


def value(claim, *per_seed, **protocol):
    facts = {"unit": "bits/dim + 8", "n": 9, "dataset": "mixture", "method": "sgu_obtuse", "protocol": protocol}
    return measured(claim, per_seed, seeds=range(len(per_seed)), **facts)


def recorded(*values, profile="laptop"):
    return SimpleNamespace(profile=profile, values=[*values], series={})


SEVERAL = value(ROWS[0], 10.6, 10.62, 10.61)
OURS = value("ours.example/a/b", 1.234, metric="nll", process="vesde", test="D_f", gamma="0.1")


def test_each_number_stands_with_its_interval_tolerance_and_verdict():
    frame = comparison(ROWS, recorded(SEVERAL, value(ROWS[1], 10.7)), extra={"exact": {ROWS[0]: 10.6168}})
    assert list(frame.columns) == ["paper", "exact", "measured", "tolerance", "verdict"]
    assert list(frame.index) == LABELS
    assert list(frame.iloc[0]) == ["10.91", "10.62", "10.61 [10.59, 10.63]", "± 0.05", "not reproduced"]
    assert list(frame.iloc[1]) == ["11.59", NOTHING, "10.70", "± 0.05", "inconclusive"]


def test_one_seed_stands_with_the_interval_of_its_images():
    frame = comparison(ROWS, recorded(value(ROWS[0], 10.6, ci95_images=[[10.5, 10.7]])))
    assert list(frame["measured"]) == ["10.60 [10.50, 10.70]"]
    assert "In brackets" in frame.attrs["caption"]
    assert "In brackets" not in comparison(ROWS, recorded(value(ROWS[0], 10.6))).attrs["caption"]


def test_a_table_is_all_of_its_cells_that_were_measured_in_the_paper_s_order():
    frame = comparison(["sgu.tab1", "ours.example/a/b"], recorded(OURS, value(ROWS[1], 10.7), SEVERAL))
    assert list(frame.index) == [*LABELS, OTHER, "the exact mixture (VE), D_f, gamma 0.1, SGU obtuse"]
    assert list(frame.iloc[3])[-4:] == [NOTHING, "1.23", NOTHING, NOTHING]


def test_what_was_not_run_is_a_sentence_and_no_row():
    reason = NotRun(claim=ROWS[1], reason="no time")
    frame = comparison(ROWS, recorded(SEVERAL, reason, NotRun(claim="vdu.tab2/mnist/1/0.1/pul", reason="too slow")))
    assert list(frame.index) == LABELS[:1]
    assert frame.attrs["not_run"] == ["Not run (the exact mixture, 1 cell): no time."]  # of these rows only
    assert len(comparison(ROWS, recorded())) == 0


def test_an_argument_stands_for_a_measurement():
    frame = comparison([ROWS[0], CANNOT_BE], recorded(SEVERAL))
    assert list(frame["verdict"]) == ["not reproduced", "cannot be"] and list(frame["measured"])[1] == NOTHING
    assert "no density makes D_f so unlikely" in frame.attrs["because"][1]


def test_smoke_is_never_judged():
    frame = comparison([ROWS[0], CANNOT_BE], recorded(SEVERAL, profile="smoke"))
    assert list(frame["verdict"]) == [NOTHING, "cannot be"]


def test_the_caption_names_on_what_it_rests_and_the_unit():
    caption = comparison(ROWS, recorded(SEVERAL), title="MNIST, seeds 0, 1, 2, profile laptop").attrs["caption"]
    assert caption.startswith("MNIST, seeds 0, 1, 2, profile laptop. In bits/dim + 8. In brackets: 95 %")


def test_a_row_of_several_metrics_says_which():
    pul = value("vdu.tab2/mnist/1/0.1/pul", 75.0)
    fid = value("vdu.tab2/mnist/1/0.1/ufid", 14.0)
    frame = comparison(["vdu.tab2"], recorded(fid, pul))
    assert list(frame["metric"]) == ["PUL, percent", "u-FID, u-FID"]
    assert "In percent" not in frame.attrs["caption"]
    assert set(frame.index) == {"MNIST (DDPM), 1, gamma 0.1, VDU"}


def test_rows_may_be_called_otherwise_and_must_be_known():
    frame = comparison([*ROWS, "ours.example/a/b"], recorded(SEVERAL, OURS), labels={"ours.example/a/b": "ours"})
    assert list(frame.index) == [LABELS[0], "ours"]
    assert list(frame.loc["ours"])[-4:] == [NOTHING, "1.23", NOTHING, NOTHING]
    with pytest.raises(KeyError, match="sgu.tab1/D_g/typo is neither a claim of the papers nor one of ours"):
        comparison(["sgu.tab1/D_g/typo"], recorded(value("sgu.tab1/D_g/typo", 1.0)))


def test_digits_are_those_that_the_paper_prints():
    rows = ["sgu.tab2_ur/mnist/vesde/3/standard", "vdu.tab1/mnist/0/vdu_pul", "erasediff.tab3/tench/salun_ua"]
    made = recorded(*(value(row, 1.0) for row in rows))
    assert list(comparison(rows, made)["paper"]) == ["11.0", "61.00", "100.00"]
    assert list(comparison(rows, made)["measured"]) == ["1.0", "1.00", "1.00"]
    assert list(comparison(rows, made, decimals=3)["paper"]) == ["11.000", "61.000", "100.000"]


def test_every_printed_cell_has_a_row_that_tells_it_from_its_table_s_others():
    for table in {claims.split(claim)[0] for claim in claims.load()}:
        made = recorded(*(value(claim, 1.0) for claim in claims.load() if claims.split(claim)[0] == table))
        frame = comparison([table], made)
        names = list(zip(frame.index, frame["metric"])) if "metric" in frame else list(frame.index)
        assert len(set(names)) == len(names) == len(made.values), table


def test_numbers_have_no_negative_zero():
    assert number(-0.001) == "0.00"
    assert number(-0.01, (-0.012, 0.001), decimals=2) == "-0.01 [-0.01, 0.00]"
    assert number(None) == NOTHING


def test_html_scrolls_escapes_and_names_its_columns():
    made = recorded(SEVERAL, NotRun(claim=ROWS[1], reason="a > b"))
    frame = comparison(ROWS, made, title="R & D", labels={ROWS[0]: "a < b"})
    page = style(frame)._repr_html_()
    assert page.startswith('<div class="comparison-frame" style="overflow-x: auto"')
    assert "a &lt; b" in page and "a < b" not in page and "R &amp; D" in page
    assert 'class="column-verdict verdict-not-reproduced"' in page and 'class="column-measured"' in page
    assert '<span class="interval" style="white-space: nowrap">[10.59, 10.63]</span>' in page
    assert page.endswith('<p class="not-run">Not run (the exact mixture, 1 cell): a &gt; b.</p>')
    assert page.count("<tr>") == 2
    assert "10.61 [10.59, 10.63]" in repr(style(frame)) and "a > b" in repr(style(frame))


def test_the_module_is_importable_without_pandas():
    code = "import sys; sys.modules['pandas'] = sys.modules['matplotlib'] = None\n"
    code += "import companion.claims.table, companion.claims.verdicts, companion.page, companion.store"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reasons_stand_once_each_with_their_data_and_the_number_of_cells():
    values = [
        NotRun(claim="vdu.tab2/mnist/1/0.1/pul", reason="too slow"),
        NotRun(claim="vdu.tab2/cifar10/ship/0.1/ufid", reason="too slow"),
        NotRun(claim="sgu.tab2_ur/stl10/vpsde/airplane/unseen", reason="no data"),
        NotRun(claim="ours.example/a/b", reason="no time"),
        value(ROWS[0], 10.7),
    ]
    assert reasons(values) == [
        "Not run (MNIST, CIFAR-10, 2 cells): too slow.",
        "Not run (STL-10, 1 cell): no data.",
        "Not run (1 cell): no time.",
    ]
    assert reasons([]) == []
