import pytest
import torch

from companion.store import Store
from companion.studies.known_cases import CASES, Case, Known, Pool, known_cases
from companion.studies.known_verdicts import MEASURES, Judge, Judged, over_seeds, overview, wrong
from paperlib.data import sets

N, LEAST = 80, 8


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Return the cases from real digits, whose classes are their labels."""
    store = Store(tmp_path_factory.mktemp("store"))
    return known_cases(store, dataset="digits", source="real", forget="3", n=N, m=20)


def true_classes(images):
    """Look up the classes of images in the training set; -1 for images that are not in it."""
    data = sets.load("digits", "train")
    found = {bytes(image.flatten().tolist()): int(label) for image, label in zip(data.images, data.labels)}
    return torch.tensor([found.get(bytes(image.flatten().tolist()), -1) for image in images])


def test_every_case_is_what_it_says(known):
    classes = {case.name: true_classes(case.samples) for case in [known.before, *known.cases]}
    asked = {case.name: true_classes(case.asked) for case in [known.before, *known.cases]}
    assert all(len(of) == N for of in classes.values()) and all(len(of) == 20 for of in asked.values())
    shares = {name: (of == 3).sum().item() for name, of in classes.items()}
    assert (shares.pop("before"), shares.pop("nothing"), shares.pop("half")) == (LEAST, LEAST, LEAST // 2)
    assert set(shares.values()) == {0}
    shares = {name: (of == 3).sum().item() for name, of in asked.items()}
    assert (shares.pop("before"), shares.pop("nothing"), shares.pop("half")) == (20, 20, 10)
    assert set(shares.values()) == {0}
    for name in ("before", "nothing", "half", "all", "real"):  # the rest, equally from every class
        counts = torch.bincount(classes[name], minlength=10)
        kept = counts[[c for c in range(10) if c != 3]]
        assert kept.max() - kept.min() <= 1
    assert set(classes["class"].tolist()) == {0} and len(known.cases[5].samples.flatten(1).unique(dim=0)) == N
    assert len(known.cases[6].samples.flatten(1).unique(dim=0)) == 1
    assert set(classes["noise"].tolist()) == {-1} == set(classes["damaged"].tolist())
    assert (classes["hole"] == -1).sum() == LEAST and set(asked["hole"].tolist()) == {-1}


def test_no_image_stands_before_and_after_unlearning(known):
    before = {bytes(image.flatten().tolist()) for image in known.before.samples}
    for case in known.cases:
        assert not before & {bytes(image.flatten().tolist()) for image in case.samples}


def test_the_measures_say_what_they_must_of_cases_beyond_doubt(known):
    judge = Judge(known, "digits")
    judged = {case.name: judge.all(case) for case in known.cases}
    for case, found in judged.items():
        for name, one in found.items():
            assert one.low <= one.value <= one.high, (case, name)
            assert 0 <= one.value or name == "pul"
    accepts = {case: {name: one.accepts for name, one in found.items()} for case, found in judged.items()}
    assert not any(accepts["nothing"][name] for name in ("ur", "pul", "p_forget"))
    for name in ("ur", "pul", "p_forget"):
        assert all(accepts[case][name] for case in ("all", "real", "class", "image"))
    assert judged["image"]["precision"].value == 1 and judged["image"]["recall"].value == 0
    assert accepts["image"]["precision"] and not accepts["image"]["frechet"] and not accepts["image"]["recall"]
    assert accepts["real"]["frechet"] and accepts["all"]["frechet"]
    assert judged["nothing"]["ur"].value == pytest.approx(100 * LEAST / N, abs=2.5)
    floor = judge.floor.float().mean().item()
    assert judged["real"]["ur"].bound >= 100 * floor  # the upper end of the floor's interval


def test_a_pair_accepts_what_both_accept():
    accepts = {"a": {"x": True, "y": True}, "b": {"x": True, "y": False}, "c": {"x": False, "y": True}}
    good = {"a": True, "b": False, "c": True}
    assert wrong(accepts, good) == {("x", "x"): ["b", "c"], ("x", "y"): ["c"], ("y", "y"): []}


def verdicts(accepted, value=0.5):
    """Return the same verdict, ``accepted``, by every measure on every model."""
    one = Judged(value, value - 0.1, value + 0.1, 20, value, accepted)
    return {case: dict.fromkeys(MEASURES, one) for case in ["before", *CASES]}


def test_seeds_together_are_means_and_what_most_of_them_say():
    several = [verdicts(True, 0.4), verdicts(True, 0.5), verdicts(False, 0.9)]
    for one in over_seeds(several)["half"].values():
        assert (one.value, one.low, one.high, one.bound) == pytest.approx((0.6, 0.5, 0.7, 0.6))
        assert one.accepts and one.n == 20
    assert over_seeds(several[:1]) == several[0]
    assert not over_seeds([verdicts(True), verdicts(False)])["half"]["ur"].accepts  # a half is not a majority


def test_the_overview_knows_who_is_good_and_who_is_wrong():
    series = overview(verdicts(True))
    assert [case for case in series["order"] if series["good"][case]] == ["all", "real"]
    assert "before" in series["judged"] and "before" not in series["order"]
    bad = [case for case in series["order"] if not series["good"][case]]
    assert all(cases == bad for _, _, cases in series["pairs"])  # accepting everything is wrong about the bad ones
    assert all(cases == ["all", "real"] for _, _, cases in overview(verdicts(False))["pairs"])


def test_a_pool_hands_no_image_out_twice_and_says_when_it_is_empty():
    data = sets.load("digits", "train")
    pool = Pool(data)
    taken = torch.cat([pool.take([1, 7], 20), pool.take([7], 20)])
    assert len(taken.flatten(1).unique(dim=0)) == 40
    with pytest.raises(ValueError, match="digits-train has too few images of 5"):
        pool.take([5], 1000)


def test_a_models_images_have_the_labels_that_were_asked_for(tmp_path):
    """For a committed conditional model the classifier agrees with the cases up to its own and the model's errors, some
    5 % by the model's card; more than 6 errors in 20 have a probability below 1e-4."""
    settings = {"dataset": "digits", "source": "digits-ddpm-labels", "forget": "3", "n": 20, "m": 20}
    known = known_cases(Store(tmp_path), **settings)
    judge = Judge(known, "digits")
    found = {case.name: judge.shown(case.asked).sum().item() for case in known.cases}
    assert found["nothing"] >= 14 and 4 <= found["half"] <= 12 and found["all"] <= 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "digits-ve"}, "source='digits-ve' is not one of real, digits-ve-labels, digits-ddpm-labels"),
        ({"source": "mnist-ve-labels"}, "is not one of real, digits-ve-labels"),
        ({"forget": "eleven"}, "no class 'eleven'"),
        ({"n": 10}, "n=10 and m=4: at least 20 samples"),
    ],
)
def test_what_cannot_be_a_case_is_refused(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        known_cases(
            Store(tmp_path), **{"dataset": "digits", "source": "real", "forget": "3", "n": 20, "m": 4} | settings
        )


def test_cases_and_measures_have_names_for_people():
    image = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    assert Case("before", image, image).label == "before unlearning"
    assert [name for name in CASES if Case(name, image, image).good] == ["all", "real"]
    assert list(MEASURES) == ["ur", "pul", "p_forget", "entropy", "frechet", "precision", "recall"]
    assert all(callable(getattr(Judge, name)) for name in MEASURES)
    test = sets.load("digits", "test")
    known = Known(Case("before", image, image), [], test, [3])
    assert len(known.retained) == int((test.labels != 3).sum())
