"""VDU's sweep, read from a record by its facts."""

from itertools import product

import pytest

from companion import plots
from companion.page import recorded
from companion.records import Record
from companion.rows import gather, row


@pytest.fixture
def record():
    """Return a sweep of two rates with its rows in no particular order."""
    rows = []
    for lr, gamma in [(1e-6, 0.8), (1e-6, 0.1), (3e-6, 0.8), (3e-6, 0.1)]:
        facts = {"n": 100, "dataset": "digits", "process": "ddpm", "forget": "1", "method": "vdu"}
        facts |= {"lr": lr, "gamma": gamma}
        left, rest = (0.2, 5) if lr > 2e-6 else (0.6, 1)
        rows += [row(100 - 100 * left, metric="pul", interval=(0, 90), **facts)]
        rows += [row(2 + gamma, metric=metric, unit="squared distance", **facts) for metric in ["u-frechet"]]
        rows += [row(rest, metric="rest-frechet", unit="squared distance", **facts)]
    facts = recorded("vdu_tab2_gamma_sweep").provenance
    series = {"start": 2.0, "start_rest": 1.0}
    values = gather(rows, "example", ["vdu.tab2"], by=["lr"])
    return Record.checked(
        page="example", profile="laptop", parameters={}, provenance=facts, values=values, series=series
    )


def test_the_cells_are_in_the_order_of_rate_and_gamma_and_judged_by_the_rule(record):
    cells = plots.gamma_cells(record)
    assert list(cells) == [(1e-6, 0.1), (1e-6, 0.8), (3e-6, 0.1), (3e-6, 0.8)]
    assert [one.rule for one in cells.values()] == ["kept and not forgotten"] * 2 + ["forgotten and damaged"] * 2
    assert cells[3e-6, 0.8].all.value == pytest.approx(2.8)


def test_a_run_is_judged_by_the_model_before_for_its_own_seeds(record):
    """The distance of the rest is 1 after a run of seed 0, too far for seed 0's 0.5 before, but not for all seeds'."""
    facts = {"n": 100, "dataset": "digits", "process": "ddpm", "forget": "1", "method": "pretrained"}
    facts |= {"metric": "rest-frechet", "unit": "squared distance"}
    start = gather([row(x, seed=seed, **facts) for seed, x in enumerate((0.5, 2.0, 2.0))], "example")
    found = plots.gamma_cells(record.model_copy(update={"values": record.values + start, "series": {}}))
    assert found[1e-6, 0.1].rule == "neither"


def test_the_printed_numbers_stand_only_beside_the_data_that_they_are_of(record):
    def crosses(of):
        figure = plots.gamma_sweep(of, title="A sweep")
        return [line for line in figure.axes[0].lines if line.get_label() == "printed"]

    assert crosses(record) == []
    (line,) = crosses(recorded("vdu_tab2_gamma_sweep"))
    assert list(line.get_xydata()[:, 1]) == [75.06, 72.15, 55.21, 71.67]


def test_a_run_without_its_base_model_has_nothing_to_draw(record):
    empty = record.model_copy(update={"values": [], "series": {}})
    for draw in (
        plots.gamma_sweep,
        plots.posterior_widths,
        plots.posterior_table,
        plots.sweep_table,
        plots.terms_table,
    ):
        assert draw(empty, title="Nothing") is None


def test_the_bias_of_u_fid_is_named_for_each_data_set(record):
    facts = {"n": 100, "process": "ddpm", "method": "pretrained", "unit": "u-FID"}
    found = {("mnist", "0"): 15.6, ("mnist", "8"): 17.2, ("cifar10", "ship"): 61.4}
    rows = [row(x, metric="perfect ufid", dataset=data, forget=D_f, **facts) for (data, D_f), x in found.items()]
    told = plots.bias(record.model_copy(update={"values": gather(rows, "example")}))
    assert told == "u-FID: 100 samples; as many of a perfect model have 16 to 17 on MNIST, 61 on CIFAR-10."
    assert plots.bias(record) == ""


def test_u_fid_is_shown_beside_that_of_the_model_before_for_the_same_seeds(record):
    """The model before has three seeds, VDU two, and the run with ten images of the class has no u-FID."""
    rows = []
    for seed, (method, more, ufid) in product(
        (0, 1, 2), (("pretrained", {}, 50), ("vdu", {}, 60), ("vdu_few", {"images": 10}, None))
    ):
        if method == "vdu" and seed == 2:
            continue
        facts = {"n": 100, "dataset": "mnist", "process": "ddpm", "forget": "1", "method": method, "seed": seed} | more
        rows += [row(50, metric="pul", interval=(0, 90), **facts)] if method != "pretrained" else []
        rows += [row(2, metric=m, unit="squared distance", **facts) for m in ("u-frechet", "rest-frechet")]
        rows += [row(ufid + 10 * seed, metric="ufid", **facts)] if ufid else []
    values = gather(rows, "example", ["vdu.tab1"], by=["images"])
    found = record.model_copy(update={"values": values, "series": {}})
    assert plots.ufid_steps(found) == {("1", "pretrained"): (60, 60), ("1", "vdu"): (65, 55)}
    shown = plots.rivals_table(found).data["u-FID"]
    assert shown["1", "VDU"].startswith("65.00") and "1.18 × before" in shown["1", "VDU"]
    assert shown["1", "VDU, 10 images"] == ""


def test_a_printed_order_is_judged_over_paired_seeds_alone(record):
    """Digit 1: VDU's PUL is printed 60.05 higher, its u-FID 286.83 lower. Here both are higher, for three seeds;
    the fourth has VDU alone. Digit 0 has one seed, and digit 8 no Selective Amnesia."""
    rows = []
    for D_f, seeds in {"1": (0, 1, 2, 3), "0": (0,), "8": (0,)}.items():
        facts = {"n": 100, "dataset": "mnist", "process": "ddpm", "forget": D_f}
        for seed in seeds:
            rows += [row(40 + seed, metric=m, method="vdu", seed=seed, **facts) for m in ("pul", "ufid")]
            if D_f != "8" and seed < 3:
                left = {"method": "selective_amnesia", "seed": seed} | facts
                rows += [row(20 + 2 * seed, metric=m, **left) for m in ("pul", "ufid")]
    values = gather(rows, "example", ["vdu.tab1"])
    found = record.model_copy(update={"values": values, "series": {}})
    one = plots.orders(found)
    assert list(one) == [("mnist", "0", "pul"), ("mnist", "0", "ufid"), ("mnist", "1", "pul"), ("mnist", "1", "ufid")]
    printed, (mean, low, high), judged = one["mnist", "1", "pul"]
    assert printed == pytest.approx(60.05) and mean == pytest.approx(19) and 0 < low < mean < high
    assert str(judged) == "reproduced" and str(one["mnist", "1", "ufid"][2]) == "not reproduced"
    assert str(one["mnist", "0", "pul"][2]) == "inconclusive" and one["mnist", "0", "pul"][1] == (20,)
    shown = plots.orders_table(found).data
    assert shown.loc[("MNIST", "1"), "order of u-FID"] == "not reproduced"
    assert "one seed" in shown.loc[("MNIST", "0"), "PUL, ours"]
    assert plots.orders_table(record) is None
