"""Tables other than comparisons: cells unchanged and in their original order."""

from companion.plots import over_interval, table


def test_rows_columns_and_caption_stand_in_the_order_in_which_they_came():
    made = table({"second": {"b": "1", "a": "x<br>y"}, "first": {"b": "2", "a": "z"}}, "told")
    assert list(made.data.index) == ["second", "first"] and list(made.data.columns) == ["b", "a"]
    page = made.to_html()
    assert "<caption>told</caption>" in page and "x<br>y" in page and 'class="comparison"' in page


def test_names_of_two_parts_are_an_index_of_two_levels():
    made = table({("MNIST", "before"): {"UR": "1"}, ("MNIST", "SGU"): {"UR": "0"}})
    assert made.data.index.nlevels == 2 and made.data.loc[("MNIST", "SGU"), "UR"] == "0"


def test_only_tables_of_words_break_and_stand_at_the_left():
    assert "text-align: left" in table({"a": {"b": "c"}}, words=True).to_html()
    assert "text-align" not in table({"a": {"b": "c"}}).to_html()


def test_an_interval_has_a_line_of_its_own():
    assert over_interval(2 / 3, 0.5, 1, 1) == "0.7<br><small>[0.5,&thinsp;1.0]</small>"
