"""The prompts for the small text-to-image model, and those that a method is given."""

from companion.studies.latent_prompts import NAMES, asked_prompts, labelled, neighbour
from paperlib.data import captions, shapes
from paperlib.data.captions import KINDS, split_words


def test_a_label_is_the_prompt_that_says_class_and_colour():
    assert NAMES == captions.every()[:70]
    assert NAMES[7 * 5 + 1] == "a red ring" and NAMES[0] == "a disc"


def test_the_forgotten_side_has_the_classs_prompts_and_the_other_all_others():
    D_f, D_r = labelled(0)
    assert set((D_f.labels // 7).tolist()) == {0} and 0 not in (D_r.labels // 7).tolist()
    assert 0.15 < (D_f.labels % 7 == 0).double().mean() < 0.25  # one caption in five names no colour
    assert len(D_f) + len(D_r) == 20_000 and 8 < len(D_r) / len(D_f) < 10


def test_every_kind_of_words_is_asked_and_no_method_was_told_but_names():
    wanted = asked_prompts(0, 12)
    assert list(wanted) == [*KINDS, "neighbour", "others"] and all(len(prompts) == 12 for prompts, _ in wanted.values())
    assert not set(wanted["synonym"][0] + wanted["german"][0]) & set(NAMES)
    assert set(wanted["others"][1]) == set(range(1, 10)) - {5} and shapes.CLASSES[neighbour(0)] == "ring"
    assert all("disc" in split_words(prompt) for prompt in wanted["name"][0])


def test_forget_me_nots_words_are_the_classs():
    assert [split_words(NAMES[7 * k])[1] for k in range(10)] == list(shapes.CLASSES)
    assert [split_words(NAMES[7 * k + 3])[2] for k in range(10)] == list(shapes.CLASSES)
