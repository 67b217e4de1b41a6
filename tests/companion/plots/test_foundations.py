import pytest

from companion import plots
from companion.page import recorded
from companion.records import Value


@pytest.fixture(scope="module")
def forgetting():
    return recorded("foundations_measuring_forgetting")


@pytest.fixture(scope="module")
def sampling():
    return recorded("foundations_sampling_and_likelihood")


def test_the_table_of_cases_has_every_measure_and_colours_what_is_wrong(forgetting):
    text = plots.case_table(forgetting).to_html()
    series = forgetting.series
    assert all(label in text for label in series["labels"].values()) and text.count("<small>") == 10 * 7
    wrong = sum(len(cases) for a, b, cases in series["pairs"] if a == b)
    shown = plots.case_table(forgetting)
    shown._compute()
    assert sum(any("background-color" in name for name, _ in style) for style in shown.ctx.values()) == wrong


def test_the_table_of_likelihoods_finds_its_numbers_by_their_facts(sampling):
    text = plots.likelihood_table(sampling).to_html()
    for value in sampling.values:
        assert f"{value.value:.3f}<br>" in text
    renamed = [Value(**one.model_dump() | {"claim": one.claim.replace("/nll/", "/mnist/")}) for one in sampling.values]
    again = sampling.model_copy(update={"values": renamed})
    assert plots.likelihood_table(again).data.equals(plots.likelihood_table(sampling).data)


@pytest.mark.parametrize("page", ["forgetting", "sampling"])
def test_recorded_intervals_hold_their_value_and_stay_where_it_lives(page, request):
    within = {"%": (float("-inf"), 100), "share": (0, 1), "probability": (0, 1), "nats": (0, 2.31)}
    for value in request.getfixturevalue(page).values:
        least, most = within.get(value.unit, (0, float("inf")))
        low, high = value.interval
        slack = 1e-9 * max(1, abs(value.value))
        assert least <= low <= value.value + slack and value.value - slack <= high <= most, value.claim
