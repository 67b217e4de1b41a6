"""The evaluation of a checkpoint, on a base model of digits that takes seconds."""

import json
import shutil

import numpy as np
import pytest
import torch
from scipy import linalg

from companion import bases, checkpoints
from companion import evaluate as command
from companion.classifiers import classifier, predict
from companion.evaluation import features, likelihoods, report, samples
from companion.evaluation.likelihoods import Likelihood
from companion.evaluation.measures import METRICS
from companion.evaluation.observer import Observer
from companion.evaluation.report import evaluate, prepare, write
from companion.evaluation.samples import draw, drawn, find, timing
from companion.evaluation.subject import Protocol
from companion.store import Store
from paperlib.data import sets
from paperlib.data.splits import evenly
from paperlib.metrics.features import INCEPTION, MissingWeights, Network
from paperlib.nets.unet import UNet

CPU = torch.device("cpu")
BUDGET = bases.Budget(steps=2, batch_size=4, lr=1e-3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Make checkpoints of two updates, with labels and without."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in ("digits-ddpm-labels", "digits-ddpm", "digits-ve"):
        base = bases.BASES[name]
        model = bases.training(base, BUDGET).run()
        checkpoints.save(model, name, {"samples_seen": 8, "base": base.model_dump()}, folder)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    """Return a copy of them for one test."""
    return shutil.copytree(trained, tmp_path / "checkpoints")


def subject(folder, tmp_path, name="digits-ddpm-labels", **settings):
    small = {"n": 30, "evaluations": 2, "resamples": 5, "images": 2, "forget_n": 10, "tolerance": 0.1, "strata": 4}
    protocol = Protocol(**small | settings)
    return prepare(name, protocol, device=CPU, store=Store(tmp_path / "store"), folder=folder)


def test_a_record_has_every_measure_its_interval_and_the_whole_protocol(folder, tmp_path):
    metrics = tuple(name for name in METRICS if "fid" not in name)
    made = evaluate(subject(folder, tmp_path, metrics=metrics, forget="3", before="digits-ddpm"))
    names = [one.name for one in made.results]
    assert names == [
        "Frechet distance in the digits classifier's features",
        "u-Frechet distance in the digits classifier's features",
        "rest-Frechet distance in the digits classifier's features",
        *("precision", "recall", "u-precision", "u-recall", "UR", "PUL", "P(c_f|x_f)", "entropy"),
        *("NLL D_g", "NLL D_f", "noised NLL D_g", "noised NLL D_f", "bound D_g", "bound D_f"),
    ]
    for one in made.results:
        assert one.interval[0] <= one.value <= one.interval[1] and one.n > 0
    file = write(made, tmp_path / "deep" / "record.json")
    read = json.loads(file.read_text())
    assert read["schema"] == 1 and read["sha256"] == checkpoints.card("digits-ddpm-labels", folder)["sha256"]
    assert report.Evaluation(**read) == made
    for key in ("n", "sampler", "evaluations", "guidance", "features", "reference", "seed", "forget"):
        assert read["protocol"][key] == getattr(made.protocol, key)
    assert read["sampling"]["evaluations"] == 2 and read["provenance"]["versions"]["torch"]
    assert read["provenance"]["device"] and read["provenance"]["commit"] and read["provenance"]["seconds"] > 0
    assert list(file.parent.iterdir()) == [file]  # no draft remains
    table = made.table()
    assert "u-recall" in table and "95 % interval" in table and len(table.splitlines()) == 1 + len(names)


def scipys_distance(*images):
    """Return scipy's distance of two sets in the features of the digits classifier."""

    def moments(images):
        with torch.no_grad():
            x = classifier("digits").features(2 * images.float() / 255 - 1).double().numpy()
        return x.mean(0), np.cov(x, rowvar=False)

    a, b = map(moments, images)
    root = linalg.sqrtm(a[1] @ b[1])
    return ((a[0] - b[0]) ** 2).sum() + np.trace(a[1] + b[1] - 2 * root.real)


def test_the_distance_is_scipys_between_the_stored_samples_and_the_reference(folder, tmp_path):
    one = subject(folder, tmp_path, metrics=("frechet", "u-frechet"), forget="1", n=100, reference_n=700)
    plain, unlearned = evaluate(one).results
    images, real = drawn(one.samples), sets.load("digits", "train").images[:700]
    kept = real[predict(classifier("digits"), real).argmax(1) != 1]
    assert plain.value == pytest.approx(scipys_distance(images, real), rel=1e-4)
    assert unlearned.value == pytest.approx(scipys_distance(images, kept), rel=1e-4)
    assert unlearned.details["reference_n"] == len(kept) < plain.details["reference_n"] == 700


def test_the_rest_are_the_samples_that_do_not_show_the_forgotten(tmp_path):
    settings = {"n": 100, "evaluations": 10, "resamples": 5, "reference_n": 700, "forget": "1"}
    one = prepare("digits-ddpm", Protocol(metrics=("rest-frechet",), **settings), device=CPU, store=Store(tmp_path))
    (rest,) = evaluate(one).results
    images, real = drawn(one.samples), sets.load("digits", "train").images[:700]
    left, kept = (some[predict(classifier("digits"), some).argmax(1) != 1] for some in (images, real))
    assert 50 < len(left) < len(images) == 100
    assert rest.value == pytest.approx(scipys_distance(left, kept), rel=1e-4)
    assert rest.n == len(left) and rest.details["of"] == f"the {len(left)} samples that do not show it"


def test_where_hardly_a_sample_is_left_the_rest_are_all(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Observer, "shown", lambda self, images: torch.arange(len(images)) > 2)
    unlearned, rest = evaluate(subject(folder, tmp_path, metrics=("u-frechet", "rest-frechet"), forget="1")).results
    assert rest.value == pytest.approx(unlearned.value) and rest.details["of"] == "all samples"


def test_nothing_is_drawn_or_measured_twice(folder, tmp_path, monkeypatch):
    first = evaluate(subject(folder, tmp_path, metrics=("frechet", "bound", "ur"), forget="3"))
    monkeypatch.setattr(report, "check_drawing", lambda *asked: None)  # a sampler's first step is always tried
    monkeypatch.setattr(UNet, "forward", None)  # fails if the network is used again
    again = evaluate(subject(folder, tmp_path, metrics=("ur", "bound", "frechet"), forget="3"))
    assert {one.name: one for one in first.results} == {one.name: one for one in again.results}


def test_a_checkpoint_that_moved_is_the_same_and_one_that_changed_is_not(folder, tmp_path):
    store, drawing = Store(tmp_path / "store"), subject(folder, tmp_path, metrics=("frechet",))
    moved = tmp_path / "moved"
    moved.mkdir()
    for suffix in (".safetensors", ".json"):
        (moved / f"mine{suffix}").write_bytes((folder / f"digits-ddpm-labels{suffix}").read_bytes())
    settings = {"sampler": "DDIM", "evaluations": 2, "guidance": 0.0, "n": 3, "classes": (), "seed": 0}
    mine = find(str(moved / "mine.safetensors"))
    assert draw(store, mine, CPU, **settings).path == draw(store, drawing.checkpoint, CPU, **settings).path
    checkpoints.save(bases.architecture(mine.base), "mine", {"base": mine.base.model_dump()}, moved)
    other = find(str(moved / "mine.safetensors"))
    assert draw(store, other, CPU, **settings).path != draw(store, mine, CPU, **settings).path


def test_every_sampler_starts_from_the_same_noise_and_counts_what_it_spent(folder, tmp_path, monkeypatch):
    starts, original = [], samples.sample

    def records(model, shape, *, noise, **settings):
        starts.append(noise)
        return original(model, shape, noise=noise, **settings)

    monkeypatch.setattr(samples, "sample", records)
    settings = {"evaluations": 5, "guidance": 0.0, "n": 3, "classes": (), "seed": 0}
    for sampler in ("DDIM", "Heun"):
        entry = draw(Store(tmp_path / "store"), find("digits-ve", folder), CPU, sampler=sampler, **settings)
        assert drawn(entry).shape == (3, 1, 8, 8) and drawn(entry).dtype == torch.uint8
        assert timing(entry)["evaluations"] == 5 and timing(entry)["seconds"] > 0
    assert torch.equal(*starts)


def test_a_drawing_that_was_stopped_goes_on_after_its_last_whole_batch(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "BATCH", 4)
    settings = {"sampler": "DDPM", "evaluations": 3, "guidance": 0.0, "n": 10, "classes": (), "seed": 5}
    whole = drawn(draw(Store(tmp_path / "whole"), find("digits-ve", folder), CPU, **settings))
    calls, original = [], samples._batch

    def stops(model, drawing, start, file):
        calls.append(start)
        if calls == [0, 4]:
            raise KeyboardInterrupt
        original(model, drawing, start, file)

    monkeypatch.setattr(samples, "_batch", stops)
    store = Store(tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        draw(store, find("digits-ve", folder), CPU, **settings)
    entry = draw(store, find("digits-ve", folder), CPU, **settings)
    assert calls == [0, 4, 4, 8] and torch.equal(drawn(entry), whole)
    assert timing(entry)["evaluations"] == 3 and timing(entry)["seconds"] > 0
    assert not list(entry.path.glob("resume*"))


def test_labels_are_asked_for_in_turn_and_guidance_counts_twice(folder, tmp_path, monkeypatch):
    asked, original = [], UNet.forward

    def records(self, x, time, cond=None):
        asked.append(cond)
        return original(self, x, time, cond)

    monkeypatch.setattr(UNet, "forward", records)
    settings = {"sampler": "DDIM", "evaluations": 7, "n": 5, "seed": 0, "classes": (7, 2)}
    found = find("digits-ddpm-labels", folder)
    entry = draw(Store(tmp_path / "store"), found, CPU, guidance=0.0, **settings)
    assert len(asked) == 7 == timing(entry)["evaluations"] and asked[0].tolist() == [7, 2, 7, 2, 7]
    asked.clear()
    entry = draw(Store(tmp_path / "store"), found, CPU, guidance=1.5, **settings)
    assert len(asked) == 3 and timing(entry)["evaluations"] == 6
    assert asked[0].tolist() == [7, 2, 7, 2, 7] + [10] * 5


def test_fid_is_called_so_with_inception_alone_and_its_features_are_kept(folder, tmp_path, monkeypatch):
    """A network of few features under Inception's name tests the plumbing, not the number."""
    seen = []

    def few(images):
        seen.append(len(images))
        return images.flatten(1)[:, 20:28].float()

    monkeypatch.setattr(report, "inception", lambda device: None)
    monkeypatch.setattr(features, "inception", lambda device: Network(INCEPTION, few))
    monkeypatch.setattr(features, "CHUNK", 20)
    settings = {"reference_n": 50, "features": "inception", "forget": "3"}
    made = evaluate(subject(folder, tmp_path, metrics=("fid", "u-fid", "precision-recall"), **settings))
    assert [one.name for one in made.results] == ["FID", "u-FID", "precision", "recall"]
    assert sum(seen) == 30 + 50  # once for all three
    assert made.results[0].details["reference_n"] == 50 > made.results[1].details["reference_n"]
    assert made.results[2].details["feature_network"] == INCEPTION and made.results[3].n == 30
    seen.clear()
    other = evaluate(subject(folder, tmp_path, name="digits-ve", metrics=("fid",), reference_n=50))
    assert sum(seen) == 30 and other.results[0].name == "FID"  # the reference serves every model


@pytest.mark.realdata
def test_the_stored_features_are_those_of_pytorch_fids_network(tmp_path):
    """tests/metrics/test_frechet.py compares what is computed from them with pytorch-fid's command."""
    from pytorch_fid.inception import InceptionV3

    real = features.Real(dataset="mnist", part="test", n=4)
    found = features.real_features(Store(tmp_path / "store"), real, CPU)
    images = sets.load("mnist", "test").images[:4].expand(-1, 3, -1, -1).float() / 255
    with torch.no_grad():
        theirs = InceptionV3([3]).eval()(images)[0][:, :, 0, 0]
    assert found.shape == (4, 2048) and (found - theirs).abs().max() < 1e-5


def test_test_images_come_from_all_classes_in_turn():
    data = sets.load("digits", "test")
    assert evenly(data, 25).labels.tolist() == [k % 10 for k in range(25)]
    assert len(evenly(data, 10_000)) == len(data)
    settings = {"kind": "nll", "n": 6, "seed": 0, "device": "cpu", "base": bases.BASES["digits-ve"], "forget": "0,2"}
    for side, labels in {"retain": [1, 3, 4, 5, 6, 7], "forget": [0, 2, 0, 2, 0, 2]}.items():
        wanted = Likelihood(side=side, name="x", folder="x", sha256="x", **settings)
        assert likelihoods.test_images(wanted).labels.tolist() == labels


def test_the_entropy_of_an_unconditional_model_is_that_of_all_its_samples(folder, tmp_path):
    one = subject(folder, tmp_path, name="digits-ddpm", metrics=("entropy", "ur"), forget="3")
    found = evaluate(one).results[0]
    p = predict(classifier("digits"), drawn(one.samples)).double().softmax(1)
    assert found.value == pytest.approx(-(p * p.log()).sum(1).mean().item(), rel=1e-4)
    assert found.n == 30 and found.details["of"] == "all samples"
    labelled = evaluate(subject(folder, tmp_path, metrics=("entropy",), forget="3")).results[0]
    assert labelled.n == 10 and labelled.details["of"] == "samples asked to show the forgotten"


@pytest.mark.parametrize("strata, passed", [(0, None), (3, 3)])
def test_the_bound_takes_as_many_strata_of_steps_as_the_protocol_says(strata, passed, folder, tmp_path, monkeypatch):
    asked, steps = [], likelihoods.image_bound

    def records(model, images, **settings):
        asked.append(settings["strata"])
        found = steps(model, images, **settings | {"strata": 3})  # a thousand steps take a while
        return found

    monkeypatch.setattr(likelihoods, "image_bound", records)
    protocol = {"metrics": ("bound",), "forget": "3", "strata": strata}
    made = evaluate(subject(folder, tmp_path, name="digits-ddpm", **protocol))
    assert asked == [passed] * 2 and made.protocol.strata == strata
    assert made.results[0].interval[0] < made.results[0].value


REFUSED = [
    ({"metrics": ("fid", "is")}, "metrics='is' is not one of fid, u-fid,"),
    ({"metrics": ("nll", "nll")}, "metrics='nll' is asked for twice"),
    ({"metrics": ("ur",)}, "ur needs forget"),
    ({"metrics": ("pul",), "forget": "3"}, "pul needs before"),
    ({"metrics": ("ur",), "forget": "eleven"}, "digits-t.* has no class 'eleven'"),
    ({"metrics": ("p-forget",), "forget": "3", "name": "digits-ve"}, "p-forget needs a model with labels"),
    ({"metrics": ("bound",), "strata": -1}, "strata"),
    ({"metrics": ("bound",), "name": "digits-ve"}, "bound is of a DDPM, and digits-ve is a ve model"),
    ({"metrics": ("frechet",), "sampler": "Euler"}, "sampler='Euler' is not one of DDPM, DDIM"),
    ({"metrics": ("frechet",), "sampler": "Heun", "guidance": 1.0, "evaluations": 1}, "evaluations=1 is below the 2"),
    ({"metrics": ("frechet",), "name": "digits-ve", "guidance": 2.0}, "guidance=2 needs a model with labels"),
    ({"metrics": ("frechet",), "name": "mnist-sub"}, "checkpoint='mnist-sub' is neither .*digits-ve, digits-ddpm"),
    ({"metrics": ("frechet",), "name": "mnist-ve"}, "mnist-ve has no checkpoint in .*campaign --only mnist-ve"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED, ids=[message[:25] for _, message in REFUSED])
def test_what_cannot_be_measured_is_refused_before_any_work(folder, tmp_path, settings, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        subject(folder, tmp_path, **settings)
    assert not (tmp_path / "store").exists()


def test_missing_data_weights_and_cards_are_named_with_a_way_to_get_them(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "empty"))
    base = bases.BASES["mnist-ve"]
    checkpoints.save(bases.architecture(base), base.name, {"base": base.model_dump()}, folder)
    with pytest.raises(FileNotFoundError, match="mnist-t.*python -m paperlib.data mnist"):
        subject(folder, tmp_path, name="mnist-ve", metrics=("nll",))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    for settings in ({"metrics": ("fid",)}, {"metrics": ("precision-recall",), "features": "inception"}):
        with pytest.raises(MissingWeights, match="pt_inception.*python -c"):
            subject(folder, tmp_path, **settings)
    monkeypatch.setattr(report.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingWeights, match="pip install pytorch-fid"):
        subject(folder, tmp_path, metrics=("fid",))
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="python -m companion classifier digits"):
        subject(folder, tmp_path, metrics=("frechet",))
    (folder / "digits-ve.json").unlink()
    with pytest.raises(FileNotFoundError, match="no card beside it"):
        find(str(folder / "digits-ve.safetensors"))
    (folder / "digits-ve.json").write_text('{"sha256": "0"}')
    with pytest.raises(ValueError, match="'base', the kind of model it is"):
        find(str(folder / "digits-ve.safetensors"))


def test_a_file_that_is_not_its_cards_is_refused(folder, tmp_path):
    (folder / "digits-ve.safetensors").write_bytes((folder / "digits-ddpm.safetensors").read_bytes())
    with pytest.raises(ValueError, match="its sha256 differs"):
        subject(folder, tmp_path, name="digits-ve", metrics=("nll",))


def test_a_metric_that_what_was_drawn_has_no_answer_to_is_absent_and_the_others_are_written(
    folder, tmp_path, capsys, monkeypatch
):
    def none_shown(subject):
        raise ValueError("none of the 20 samples before unlearning shows what is to be forgotten")

    monkeypatch.setitem(METRICS, "pul", (none_shown, {"classifier", "forget"}))
    out, file = tmp_path / "record.json", str(folder / "digits-ve.safetensors")
    options = ["--n", "20", "--evaluations", "2", "--sampler", "DDIM", "--forget", "3", "--out", str(out)]
    assert command.main([file, "--metrics", "pul,ur", *options, "--device", "cpu"]) == 1
    assert "pul: none, since none of the 20 samples" in capsys.readouterr().out
    record = json.loads(out.read_text())
    assert [one["name"] for one in record["results"]] == ["UR"] and "none of the 20" in record["absent"]["pul"]


def test_the_command_measures_a_file_and_writes_its_record(folder, tmp_path, capsys):
    out = tmp_path / "record.json"
    file = str(folder / "digits-ve.safetensors")
    options = ["--n", "20", "--evaluations", "2", "--resamples", "3", "--sampler", "DDIM", "--out", str(out)]
    assert command.main([file, "--metrics", "frechet,precision-recall", *options, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "precision" in said and "reference the first 1352 images of digits-train" in said and str(out) in said
    record = json.loads(out.read_text())
    assert record["protocol"]["sampler"] == "DDIM" and record["protocol"]["metrics"] == ["frechet", "precision-recall"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["mnist-sub", "--metrics", "fid"], "checkpoint='mnist-sub' is neither"),
        (["digits-ve", "--metrics", "is"], "metrics='is' is not one of fid"),
        (["digits-ve", "--metrics", "nll", "--images", "1"], "images=1 is not allowed"),
        (["digits-ve", "--metrics", ","], "metrics=() is not allowed"),
        (["digits-ddpm", "--metrics", "nll", "--sampler", "DDPM", "--evaluations", "1001"], "evaluations=1001"),
        (["digits-ve", "--metrics", "precision-recall", "--n", "4", "--k", "4"], "k=4 neighbours of n=4 samples"),
        (["digits-ve", "--metrics", "precision-recall", "--reference-n", "3"], "and 3 real images"),
        (["digits-ve", "--metrics", "frechet", "--reference-n", "1"], "reference_n=1 leaves 1 real images"),
        (["digits-ve", "--metrics", "nll", "--out", "/"], "--out / is a folder"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(options, message, capsys, tmp_path):
    assert command.main(options) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and message in said.err and said.err.count("\n") == 1 and not said.out
