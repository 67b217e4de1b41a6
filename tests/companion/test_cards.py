from companion import checkpoints
from companion.cards import models_page
from paperlib.nets.classifier import SmallCNN

CLASSIFIER = {"network": "SmallCNN, width 4", "samples_seen": 1000, "accuracy": [0.9, 0.985]}
BASE = {"base": {}, "network": "small-8", "samples_seen": 512_000, "seconds": 5400}


def test_the_page_says_what_the_cards_say(tmp_path):
    model = SmallCNN(1, 3, width=4)
    checkpoints.save(model, "classifier-tiny", CLASSIFIER, tmp_path)
    checkpoints.save(model, "tiny-ve", BASE, tmp_path)
    checkpoints.amend("tiny-ve", tmp_path, samples={"n": 1000, "confidence": 0.98712, "shares": [0.07, 0.93]})
    (tmp_path / "tiny-ve.png").write_bytes(b"")
    page = models_page(tmp_path)
    assert "| tiny | SmallCNN, width 4 | " in page and "| 1,000 | 90.00% to 98.50% |" in page
    assert "| `tiny-ve` | " in page and "| 512,000 | 1.5 |" in page and "| 0.987 | 7.0–93.0% |" in page
    assert "sees in 1,000 samples" in page and "_models/tiny-ve.png" in page


def test_a_conditional_model_says_which_classes_are_there(tmp_path):
    checkpoints.save(SmallCNN(1, 3, width=4), "tiny-ve-labels", BASE, tmp_path)
    found = [{"guidance": 2.0, "right": 0.625, "there": ["cat"], "counts": []}]
    facts = {"each": 50, "names": ["cat", "dog"], "found": found}
    checkpoints.amend("tiny-ve-labels", tmp_path, classes=facts | {"sha256": "of other weights"})
    assert "is the class there" not in models_page(tmp_path)
    sha256 = checkpoints.card("tiny-ve-labels", tmp_path)["sha256"]
    checkpoints.amend("tiny-ve-labels", tmp_path, classes=facts | {"sha256": sha256})
    assert "| `tiny-ve-labels` | 50 | 2 | 62.5% | 1 of 2 | dog |" in models_page(tmp_path)


def test_models_that_nobody_has_looked_at_yet_have_empty_cells(tmp_path):
    checkpoints.save(SmallCNN(1, 3, width=4), "tiny-ve", BASE, tmp_path)
    page = models_page(tmp_path)
    assert page.rstrip().endswith("|  |  |") and "figure" not in page and "## Classifiers" not in page


def test_a_base_model_comes_before_its_twin_and_unfinished_ones_say_how_far_they_are(tmp_path):
    for name in ("mnist-ve-unseen-3-7", "mnist-ve", "digits-ve"):
        checkpoints.save(SmallCNN(1, 3, width=4), name, BASE, tmp_path)
    begun = BASE | {"budget": {"steps": 100, "batch_size": 64}, "samples_seen": 3200}
    checkpoints.save(SmallCNN(1, 3, width=4), "mnist-vp-labels", begun, tmp_path / "unfinished")
    page = models_page(tmp_path)
    order = [page.index(f"| `{name}` |") for name in ("digits-ve", "mnist-ve", "mnist-ve-unseen-3-7")]
    assert order == sorted(order)
    assert "`mnist-vp-labels`, 3,200 of 6,400 images" in page and "| `mnist-vp-labels`" not in page


def test_the_committed_models_are_on_the_page():
    page = models_page()
    for name in ("digits", "shapes", "avatars", "mnist"):
        assert f"| {name} | SmallCNN" in page
    for name in ("digits", "mnist"):
        assert f"| {name} | NoisyClassifier" in page
    assert "| `captioned-vp` | text-12 |" in page


def test_a_classifier_of_noisy_images_has_accuracy_and_temperature_by_level(tmp_path):
    levels = [{"sigma_over_alpha": s, "accuracy": 0.5, "temperature": s} for s in (0.1, 0.5, 1.0, 2.0, 5.0)]
    facts = {"network": "tiny", "samples_seen": 10, "levels": levels}
    checkpoints.save(SmallCNN(1, 3, width=4), "noisy-classifier-x", facts, tmp_path)
    page = models_page(tmp_path)
    assert "| x | tiny | " in page and "| 50.0% (0.10) |" in page and "| 50.0% (5.00) |" in page


def test_a_text_to_image_model_says_what_it_understands_of_its_own_weights_alone(tmp_path):
    checkpoints.save(
        SmallCNN(1, 3, width=4), "words", {"network": "text-12", "samples_seen": 10, "seconds": 90}, tmp_path
    )
    words = {"each": 2, "evaluations": 8, "sampler": "iPNDM", "guidance": 2.0, "shown": {"name": 0.95, "german": 0.5}}
    checkpoints.amend("words", tmp_path, words=words | {"sha256": "of other weights"})
    assert "## Text to image" not in models_page(tmp_path)
    checkpoints.amend("words", tmp_path, words=words | {"sha256": checkpoints.card("words", tmp_path)["sha256"]})
    page = models_page(tmp_path)
    assert (
        "| `words` | text-12 | " in page
        and "| german | name |" in page
        and "| 50.0% | 95.0% |" in page
        and "of 120 images" in page
    )
