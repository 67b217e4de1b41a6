"""A bad prompt file is refused, and the message names the line."""

import pytest

from paperlib.latent.prompts import PromptError, named, read_prompts
from paperlib.metrics.features import MissingWeights


def write(folder, text):
    file = folder / "prompts.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_prompt_has_its_seed_and_guidance_and_may_hold_commas_and_line_breaks(tmp_path):
    file = write(tmp_path, 'id,prompt,evaluation_seed,evaluation_guidance\n1,"a, b\nc",7,7.5\n2,d,,\n')
    first, second = read_prompts(file)
    assert (first.text, first.seed, first.guidance) == ("a, b\nc", 7, 7.5)
    assert (second.text, second.seed, second.guidance) == ("d", None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text\na\n", "line 1: no column 'prompt' among text"),
        ("", "line 1: no column 'prompt' among no columns"),
        ("prompt\n", "a header, and no prompt below it"),
        ("prompt,evaluation_seed\na,1\n ,2\n", "line 3: the prompt is empty"),
        ("prompt,evaluation_seed\na,1\nb,two\n", "line 3: evaluation_seed='two' is not a number"),
        ("prompt,evaluation_seed\na,1\nb\n", "line 3: fewer cells"),
        ("prompt\na\nb,c\n", "line 3: more cells"),
        ('prompt\na\n"b\n', "after line"),
    ],
)
def test_a_bad_file_is_refused_by_its_line(tmp_path, text, message):
    with pytest.raises(PromptError, match=message):
        read_prompts(write(tmp_path, text))


def test_a_public_set_that_is_missing_or_not_whole_says_so(tmp_path):
    with pytest.raises(MissingWeights, match="no i2p_benchmark.csv in .*AIML-TUDA/i2p"):
        named("i2p", tmp_path)
    (tmp_path / "i2p_benchmark.csv").write_text("prompt\na\n")
    with pytest.raises(PromptError, match="has 1 prompts; i2p has 4703"):
        named("i2p", tmp_path)
    with pytest.raises(ValueError, match="prompts='i3p' is not one of i2p, coco-30k, nor a .csv file"):
        named("i3p", tmp_path)
    assert len(named(str(tmp_path / "i2p_benchmark.csv"), tmp_path)) == 1
