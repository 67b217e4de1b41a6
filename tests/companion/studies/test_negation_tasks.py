"""What the pages on exact negation share."""

from companion.models import base
from companion.studies.negation_tasks import rows_of, sheet_of, tasks_in, untaught

DRAWING = dict(n=20, evaluations=3)


def models(process, forget, seed):
    yield from untaught(base(f"digits-{process}"), forget, "1,2.5", seed=seed, **DRAWING)


def test_tasks_are_read_from_a_parameter():
    assert tasks_in("ddpm:1;ve:3,7") == [("ddpm", "1"), ("ve", "3,7")]


def test_what_learns_nothing_is_the_base_its_twin_where_there_is_one_and_each_weight():
    found = {facts["method"]: facts for facts, _ in models("ve", "3,7", 0)}
    assert list(found) == ["standard", "unseen", "without"]
    assert [facts["method"] for facts, _ in models("ve", "0", 0)] == ["standard", "without", "without"]  # no twin
    assert [facts.get("w") for facts, _ in models("ve", "0", 0)] == [None, 1.0, 2.5]


def test_every_model_has_every_measure_for_every_task_and_seed():
    tasks, told = [("ve", "0"), ("ddpm", "1")], []
    rows = list(rows_of(models, tasks, (0, 1), also=lambda *of: told.append(of[:2]) or {}))
    each = 4 * len(told)
    assert len(rows) == each and {row.metric for row in rows} == {"ur", "ur by the judge", "rest-frechet", "surely"}
    assert list(dict.fromkeys(told)) == [(task, seed) for task in tasks for seed in (0, 1)]
    asked = {(row.facts["process"], row.facts["forget"], row.seed) for row in rows}
    assert asked == {(*task, seed) for task in tasks for seed in (0, 1)}
    assert {row.facts["sampler_evaluations"] for row in rows} == {DRAWING["evaluations"]}


def test_the_sheet_has_a_row_of_each_shown_model_and_tiny_digits_are_enlarged():
    assert sheet_of(models, [("ve", "0")], 0).shape[0] < sheet_of(models, [("ve", "0"), ("ve", "3,7")], 0).shape[0]
