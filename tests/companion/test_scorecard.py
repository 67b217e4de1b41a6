"""The scorecard compared with an independent count from the YAML and JSON files, without the package's code."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from companion import scorecard
from companion.claims.verdicts import WORDS
from companion.code import CHECKOUT

CLAIMS = CHECKOUT / "companion" / "claims"
RESULTS = CHECKOUT / "results"
NETWORKS = ("bits/dim", "FID", "u-FID", "fraction", "FID as printed for Imagenette")  # they depend on a network
NOT_UNLEARNED = {"standard", "unseen", "pretrained", "unscrubbed", "clean"}
EVERY = scorecard.cells()


def printed():
    """Return every cell of the YAML files: id -> its value, and the other values of what may be its row."""
    found = {}
    for paper in ("sgu", "vdu", "erasediff"):
        for table, facts in yaml.safe_load((CLAIMS / f"{paper}.yaml").read_text()).items():
            for row, values in facts["rows"].items():
                for column, value in zip(facts["columns"], values):
                    if value is not None:
                        alike = values
                        if facts["column_is"] == "metric" and "gamma" in facts["row_is"]:
                            k, same = facts["columns"].index(column), row.rpartition("/")[0]
                            alike = [cells[k] for name, cells in facts["rows"].items() if name.startswith(f"{same}/")]
                        found[f"{paper}.{table}/{row}/{column}"] = (value, [x for x in alike if x not in (None, value)])
    return found


def measured():
    """Return every measured cell of the committed JSON files, id -> (value, profile); ``paper`` precedes ``laptop``."""
    found = {}
    for profile in ("laptop", "paper"):
        for file in sorted((RESULTS / profile).glob("*.json")):
            for value in json.loads(file.read_text())["values"]:
                if "value" in value and not value["claim"].startswith("ours."):
                    found[value["claim"]] = value | {"profile": profile, "file": file}
    return found


WIDEST = {"bits/dim + 8": 0.05, "percent": 2, "pul": 5, "probability": 0.05}  # tolerances, by hand


def word(cell, value, near):
    """Return what the verdict should be, by hand."""
    if cell == "sgu.tab1/D_f/unlearning":
        return "cannot be"
    mixture, given = value["dataset"] == "mixture", value["method"] in NOT_UNLEARNED
    if not mixture and (value["unit"] in NETWORKS or (not given and value["profile"] != "paper")):
        return "another protocol"
    if value["ci95"] is None:
        return "inconclusive"
    number, widest = printed()[cell][0], WIDEST["pul" if "pul" in cell else value["unit"]]
    digits = 1 if "_ur/" in cell else 2
    within = max(min([widest] + [abs(x - number) / 2 for x in near]), 0.5 / 10**digits) + 1e-9
    low, high = value["ci95"]
    if number - within <= low and high <= number + within:
        return "reproduced"
    return "not reproduced" if high < number - within or low > number + within else "inconclusive"


def test_all_364_printed_numbers_are_there_once_as_they_are_printed():
    assert {cell.claim.id: cell.claim.value for cell in EVERY} == {name: one[0] for name, one in printed().items()}
    assert len(EVERY) == 364


def test_a_second_count_agrees_word_for_word():
    values, cells = measured(), printed()
    by_hand = {
        name: word(name, values[name], near) if name in values else "not run" for name, (_, near) in cells.items()
    }
    assert {cell.claim.id: cell.verdict.word for cell in EVERY} == by_hand
    assert {cell.claim.id for cell in EVERY if cell.value} == set(values)


def test_the_home_page_adds_up():
    rows = re.findall(r"<tr><th scope=\"row\">.*?</th>(.*?)</tr>", scorecard.summary_table(EVERY))
    texts = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    numbers = [[int(text) if text.isdigit() else 0 for text in row] for row in texts]
    assert numbers[-1] == [sum(column) for column in zip(*numbers[:-1], strict=True)]
    assert numbers[-1][0] == 364 and sum(numbers[-1][2:]) == 364
    words = Counter(cell.verdict.word for cell in EVERY)
    assert numbers[-1][2:] == [words[word] for word in WORDS]


def test_every_table_and_figure_of_the_papers_has_a_row():
    text = scorecard.summary_table(EVERY)
    for paper, tables in {"SGU": 5, "VDU": 2, "EraseDiff": 5}.items():
        for k in range(1, tables + 1):
            assert f"{paper}, Table {k}" in text
    for paper, last in {"SGU": 5, "VDU": 5, "EraseDiff": 19}.items():
        said = set()
        for label in re.findall(rf"{paper}, Figures? ([\d a-z]+?)<", text):
            first, _, end = label.partition(" to ")
            said |= set(range(int(first), int(end) + 1)) if end else set(map(int, re.findall(r"\d+", label)))
        assert said == set(range(1, last + 1)), paper


def test_every_number_has_its_reason_page_record_and_command():
    page = scorecard.scorecard_page(EVERY)
    assert all(cell.verdict.because for cell in EVERY)
    assert all(f'id="{cell.claim.id}"' in page for cell in EVERY)
    for record in {cell.record.page: cell.record for cell in EVERY if cell.record}.values():
        assert f"`results/{record.profile}/{record.page}.json`, made by `make page PAGE={record.page}" in page
        assert (CHECKOUT / "notebooks" / f"{record.page}.py").is_file()
    for name in re.findall(r"pages/(\w+)\.html", scorecard.summary_table(EVERY) + page):
        assert (CHECKOUT / "notebooks" / f"{name}.py").is_file()


@pytest.mark.parametrize(("interval", "word"), [([10.88, 10.92], "reproduced"), ([10.5, 10.6], "not reproduced")])
def test_a_new_record_changes_it_by_itself(tmp_path, interval, word):
    """Checked with a copy of ``results/`` in which Table 1's record differs, in the profile that takes precedence."""
    source = RESULTS / "laptop" / "sgu_tab1_mixture_nll.json"
    made = json.loads(source.read_text()) | {"profile": "paper"}
    cell = next(value for value in made["values"] if value["claim"] == "sgu.tab1/D_g/standard")
    cell |= {"value": sum(interval) / 2, "ci95": interval}
    for profile, text in {"laptop": source.read_text(), "paper": json.dumps(made)}.items():
        (tmp_path / profile).mkdir()
        (tmp_path / profile / source.name).write_text(text)
    found = {one.claim.id: one for one in scorecard.cells(tmp_path)}
    assert found["sgu.tab1/D_g/standard"].verdict.word == word
    assert Counter(one.verdict.word for one in found.values())["not run"] == 358


def test_the_command_has_the_record_s_seeds_and_what_is_not_the_page_s_own():
    (page,) = [one for one in scorecard.records() if one.page == "sgu_tab3_inpainting"]
    values = [one.model_copy(update={"seeds": [4, 7]}) for one in page.all()]
    record = page.model_copy(update={"values": values, "parameters": page.parameters | {"dataset": "cifar10"}})
    made = "make page PAGE=sgu_tab3_inpainting PROFILE=laptop"
    assert scorecard.command(record) == f'{made} ARGS="-p seeds 4,7 -p dataset cifar10"'
    other = record.model_copy(update={"parameters": record.parameters | {"alpha": 0.99, "gone": 1}})
    assert scorecard.command(other) == f'{made} ARGS="-p seeds 4,7 -p dataset cifar10 -p alpha 0.99"'


def test_without_records_nothing_was_run_and_the_argument_stands(tmp_path):
    assert {cell.verdict.word for cell in scorecard.cells(Path(tmp_path))} == {"not run", "cannot be"}
