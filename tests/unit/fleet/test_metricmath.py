"""Metric math against the rules of the CloudWatch user guide, each quoted where it is tested."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import TemplateError
from consumer.fleet.cloud.metricmath import USUAL, Query, check, evaluate
from support.series import BEGIN, source, worked_out

FIRST, SECOND = "30 20 0 0", "20 - 20 -"  # the guide's metric1 and metric2


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("metric1 < metric2", "0 0 1 0"),
        ("metric1 >= 30", "1 0 0 0"),
        ("metric1 > 15 AND metric2 > 15", "1 0 0 0"),
        ("metric1 > 15 && metric2 > 15", "1 0 0 0"),
        ("metric1 > 15 OR metric2 > 15", "1 1 1 0"),
        ("metric1 == 20 || metric2 != 20", "0 1 0 0"),
    ],
)
def test_comparisons_and_logic_give_the_guides_own_table(expression: str, result: str) -> None:
    assert worked_out(expression, metric1=FIRST, metric2=SECOND) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("metric1 + metric2", "50 20 20 0"),
        ("metric1 - metric2", "10 20 -20 0"),
        ("metric2 * 3 - 1", "59 - 59 -"),
        ("-metric2", "-20 - -20 -"),
        ("metric2 ^ 2 / 100", "4 - 4 -"),
        ("2 ^ 3 ^ 2 + metric1 * 0", "512 512 512 512"),
        ("10 - 4 - 3 + metric1 * 0", "3 3 3 3"),
        ("2 + 3 * 4 + metric1 * 0", "14 14 14 14"),
        ("(2 + 3) * 4 + metric1 * 0", "20 20 20 20"),
        ("metric1 < 10 + 11", "0 1 1 1"),
    ],
)
def test_missing_values_in_a_time_series_are_treated_as_0_in_arithmetic(expression: str, result: str) -> None:
    assert worked_out(expression, metric1=FIRST, metric2=SECOND) == result


def test_a_point_at_which_nobody_has_a_value_has_none_afterwards_either() -> None:
    assert worked_out("metric1 + metric2", metric1="1 - 3 -", metric2="1 2 - -") == "2 2 3 -"


def test_if_a_data_point_causes_a_function_to_divide_by_zero_the_data_point_is_dropped() -> None:
    assert worked_out("metric1 / metric2", metric1=FIRST, metric2=SECOND) == "1.5 - 0 -"
    assert worked_out("1 / metric1", metric1="4 0 2") == "0.25 - 0.5"
    assert worked_out("metric1 / 0", metric1="4 0 2") == "- - -"


def test_a_result_that_is_no_real_number_is_dropped() -> None:
    assert worked_out("metric1 ^ 0.5", metric1="4 -4") == "2 -"
    assert worked_out("metric1 ^ 999", metric1="1 99") == "1 -"


CONDITION, YES, NO = "1 1 0 0 -", "30 - 0 0 30", "0 0 20 - 20"  # the guide's metric1, metric2 and metric3


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("IF(metric1, metric2, metric3)", "30 0 20 - -"),
        ("IF(metric1, 5, metric3)", "5 5 20 - -"),
        ("IF(metric1, metric2, 5)", "30 0 5 5 -"),
        ("IF(metric1, metric2)", "30 0 - - -"),
        ("IF(metric1, 7, 8)", "7 7 8 8 -"),
        ("IF(metric2 < 400, metric2)", "30 - 0 0 30"),
        ("IF(metric2 < 20, 10, 2)", "2 - 10 10 2"),
        ("IF(1, metric2, metric3)", "30 - 0 0 30"),
        ("IF(0, metric2, metric3)", "0 0 20 - 20"),
        ("IF(0, metric2)", "- - - - -"),
        ("IF(-1 * metric2, 1, 0)", "1 - 0 0 1"),  # true is "any other value, whether [...] positive or negative"
    ],
)
def test_if_gives_the_guides_own_tables(expression: str, result: str) -> None:
    assert worked_out(expression, metric1=CONDITION, metric2=YES, metric3=NO) == result


def test_fill_fills_the_missing_values_of_a_time_series() -> None:
    assert worked_out("FILL(m, 10)", m="- 4 - - - 8 -") == "10 4 10 10 10 8 10"


def test_floor_rounds_each_point_down() -> None:
    assert worked_out("FLOOR(m)", m="-1.5 - 2") == "-2 - 2"


def test_the_clock_is_a_non_sparse_series_of_utc_timestamps() -> None:
    late = BEGIN + 23 * 60 + 58
    assert worked_out("HOUR(m)", begin=late, m="- 1 - -") == "23 23 0 0"
    assert worked_out("MINUTE(m)", begin=late, m="- 1 - -") == "58 59 0 1"


@pytest.mark.parametrize(
    ("doubt", "expression", "otherwise"),
    [
        ("filled", "FILL(gone, 7)", ("7 7 7", "- - -")),
        ("absent_is_zero", "m + gone", ("5 - 6", "- - -")),
        ("absent_is_zero", "m > gone", ("1 - 1", "- - -")),
        ("clock_runs", "HOUR(gone)", ("0 0 0", "- - -")),
        ("zero_beside_number", "m + 1", ("6 1 7", "6 - 7")),
        ("chosen_is_zero", "IF(m > 5, gone, 9)", ("9 - 0", "9 - -")),
    ],
)
def test_where_the_guide_is_silent_both_answers_can_be_had(
    doubt: str, expression: str, otherwise: tuple[str, str]
) -> None:
    for answer, result in zip((True, False), otherwise, strict=True):
        reading = replace(USUAL, **{doubt: answer})
        assert worked_out(expression, reading, m="5 - 6", gone="- - -") == result


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{} {} {}".format, inner, st.sampled_from("+-*"), inner) | inner.map("({})".format)


@given(st.recursive(st.integers(0, 9).map(str) | st.just("m") | st.just("-m"), nested))
def test_arithmetic_is_pythons_own_whatever_is_nested_in_what(expression: str) -> None:
    assert worked_out(f"m * 0 + {expression}", m="7") == f"{eval(expression, {'m': 7}):g}"


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("m +", "expected a value, got its end"),
        ("(m", "expected ), got its end"),
        ("m n", "expected its end, got n"),
        ("m ? 1", "? has no meaning"),
        ("Metric + 1", "must begin with a small letter"),
        ("avg(m)", "must be in capitals"),
        ("SEARCH(m)", "SEARCH"),
        ("IF(m)", "IF of 1"),
        ("FILL(m, SOMEHOW)", "SOMEHOW must begin"),
        ("1 + 1", "one series"),
        ("[m, m]", "[ has no meaning"),
        ("FLOOR(2)", "FLOOR of 1"),
        ("m + other", "other"),
        ("FILL(m, other)", "other"),
        ("result + 1", "made of itself"),
        ("__import__('os')", "_ has no meaning"),
    ],
)
def test_what_cloudwatch_would_refuse_is_refused_here_and_says_where(expression: str, why: str) -> None:
    with pytest.raises(TemplateError) as wrong:
        worked_out(expression, m="1 2 3")
    assert why in str(wrong.value)


def test_exactly_one_query_returns_data_and_ids_are_ids() -> None:
    both = (replace(source("m"), return_data=True), Query("e", expression="m * 2"))
    for queries, why in (
        (both, "exactly one"),
        ((source("m"),), "exactly one"),
        ((replace(source("M"), return_data=True),), "small letter"),
        ((source("m"), source("m"), Query("e", expression="m")), "differ"),
        ((*(source(f"m{n}") for n in range(11)), Query("e", expression="m1")), "10 metrics"),
    ):
        with pytest.raises(TemplateError, match=why):
            check(queries)


def test_a_bare_metric_needs_no_expression_and_points_outside_of_the_range_are_not_seen() -> None:
    bare = replace(source("m"), return_data=True)
    assert evaluate([bare], lambda _: {1: 5.0, 2: 6.0, 9: 7.0}, range(2, 5)) == {2: 6.0}
