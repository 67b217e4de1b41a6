"""A verdict from the claim and the record: other protocols, steps, and the cost of forgetting."""

from types import SimpleNamespace

import pytest

from companion import claims
from companion.claims.judge import another_protocol, cost, judge
from companion.records import measured

UR = "sgu.tab2_ur/mnist/vesde/3/sgu_obtuse"  # printed 1.5, beside 0.4 and 1.8
RUN = {"updates": 300, "batch_size": 32, "alpha": 0.99, "model_forgot": "3"}


def value(claim, *per_seed, metric, method="sgu_obtuse", n=100_000, unit="percent", **facts):
    protocol = {"metric": metric, "process": "ve", "forget": "3"} | facts
    about = {"unit": unit, "n": n, "dataset": "mnist", "method": method, "protocol": protocol}
    return measured(claim, per_seed, seeds=range(len(per_seed)), **about)


def far(distance, **facts):
    facts = {"unit": "squared distance", "metric": "rest-frechet"} | facts
    return value(f"ours.x/{facts.get('method', 'obtuse')}/rest", *[distance] * 3, **facts)


def record(*values, profile="paper", **series):
    return SimpleNamespace(profile=profile, values=[*values], series=series)


BEFORE = far(2.0, method="standard")
AS_PRINTED = value(UR, 1.5, 1.5, 1.5, metric="ur", **RUN)


@pytest.mark.parametrize(
    ("distance", "word", "said"),
    [
        (2.8, "reproduced", "1.4 times as far"),
        (38.0, "not reproduced", "19.0 times as far"),
        (None, "inconclusive", ""),
    ],
)
def test_a_model_that_is_destroyed_reproduces_nothing(distance, word, said):
    paid = [BEFORE, far(distance, **RUN)] if distance else []
    made = judge(claims.load()[UR], record(AS_PRINTED, *paid))
    assert made.word == word and said in made.because and "against 1.5 ± 0.15" in made.because


def test_the_cost_is_that_of_the_same_model():
    others = [far(50.0, **RUN | {"alpha": 0.9}), far(60.0, method="redirect")]
    assert cost(AS_PRINTED, record(BEFORE, *others)) is None
    assert cost(AS_PRINTED, record(BEFORE, *others, far(4.0, **RUN))) == 2
    assert cost(AS_PRINTED, record(far(4.0, **RUN), start_rest=8.0)) == 0.5
    other = [far(9.0, method="standard", process="ddpm"), far(99.0, process="ddpm", **RUN)]
    assert cost(AS_PRINTED, record(*other, BEFORE, far(4.0, **RUN))) == 2


def test_settings_that_are_not_the_paper_s_are_another_protocol_with_their_cost():
    made = judge(claims.load()[UR], record(AS_PRINTED, BEFORE, far(38.0, **RUN), profile="laptop"))
    assert made.word == "another protocol"
    for said in ("300 updates (batch size 32)", "the paper prints no alpha", "19.0 times as far from real images"):
        assert said in made.because


def test_a_likelihood_of_another_network_is_compared_by_its_step():
    side = {"metric": "nll", "unit": "bits/dim", "forget": "3,7", "test": "D_f"}
    standard = value("sgu.tab2_nll/mnist/vesde/D_f/standard", 1.4, 1.5, 1.6, method="standard", **side)
    unseen = value("sgu.tab2_nll/mnist/vesde/D_f/unseen", 1.6, 1.7, 1.8, method="unseen", **side)
    made = judge(claims.load()[unseen.claim], record(standard, unseen))
    assert made.word == "another protocol" and "printed +0.23, here +0.20 [+0.20, +0.20]" in made.because
    assert judge(claims.load()[standard.claim], record(standard, unseen)).because == "NLL of another network"


def test_the_mixture_s_numbers_are_compared_whatever_the_network():
    claim = claims.load()["sgu.tab1/D_g/unlearning"]
    assert another_protocol(claim, SimpleNamespace(method="sgu_orthogonal", protocol={}), "laptop") == ""


def test_one_model_with_several_seeds_of_samples_says_so():
    unseen = value(UR.replace("sgu_obtuse", "unseen"), 1.8, 1.8, 1.8, metric="ur", method="unseen", checkpoint="x")
    made = judge(claims.load()[unseen.claim], record(unseen))
    assert made.word == "reproduced" and made.because.endswith("one model: the seeds vary only its samples")


def test_what_no_record_has_was_not_run():
    assert judge(claims.load()[UR], None).word == judge(claims.load()[UR], record()).word == "not run"


def test_no_number_reproduces_two_cells_that_the_paper_tells_apart():
    for claim in claims.load().values():
        within = claims.tolerance(claim)
        assert (within is None) == (claims.metrics()[claim.metric].tolerance is None)
        for one in claims.rivals(claim) if within else ():
            apart = abs(one.value - claim.value)
            assert apart == 0 or within + claims.tolerance(one) <= apart + 1e-9, (claim.id, one.id)


@pytest.mark.parametrize(
    ("claim", "within"),
    [
        (UR, 0.15),  # 1.8 is Unseen's
        ("sgu.tab2_ur/mnist/vesde/3/sgu_orthogonal", 0.55),
        ("sgu.tab2_ur/mnist/vesde/3/standard", 2.0),  # the metric's own
        ("sgu.tab1/D_g/unseen", 0.005),  # half a unit in the last digit
        ("vdu.tab2/mnist/1/0.3/pul", 0.24),  # another gamma's 71.67
    ],
)
def test_tolerances_follow_from_the_printed_numbers(claim, within):
    assert claims.tolerance(claims.load()[claim]) == pytest.approx(within)


def test_what_cannot_be_is_beyond_the_bound():
    from companion.studies.mixture_measures import in_nats, in_table
    from paperlib.data.frontier import largest_forgetting

    impossible = [claim for claim in claims.load().values() if claim.cannot_be]
    assert [claim.id for claim in impossible] == ["sgu.tab1/D_f/unlearning"]
    price = claims.load()["sgu.tab1/D_g/unlearning"].value
    assert impossible[0].value > in_table(largest_forgetting(in_nats(price))) + 10
