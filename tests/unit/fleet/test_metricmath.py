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
    assert worked_out("LOG10(metric1)", metric1="100 0 -1") == "2 - -"


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


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("FILL(m, 10)", "10 4 10 10 10 8 10"),
        ("FILL(m, REPEAT)", "- 4 4 4 4 8 8"),
        ("FILL(m, LINEAR)", "- 4 5 6 7 8 -"),
        ("FILL(m, other)", "1 4 2 - - 8 3"),
        ("FILL(m, MIN(m))", "4 4 4 4 4 8 4"),
        ("SUM(FILL([m, other], 0))", "1 13 2 0 0 8 3"),
    ],
)
def test_fill_fills_the_missing_values_of_a_time_series(expression: str, result: str) -> None:
    assert worked_out(expression, m="- 4 - - - 8 -", other="1 9 2 - - - 3") == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("ABS(m)", "1.5 - 2"),
        ("CEIL(m)", "-1 - 2"),
        ("FLOOR(m)", "-2 - 2"),
        ("m - MAX(m)", "-3.5 - 0"),
        ("m - MIN(m)", "0 - 3.5"),
        ("m - AVG(m)", "-1.75 - 1.75"),
        ("m / DATAPOINT_COUNT(m)", "-0.75 - 1"),
        ("MAX([m, other])", "-1.5 3 2"),
        ("MIN([m, other])", "-4 3 1"),
        ("SUM([m, other])", "-5.5 3 3"),
        ("SUM(METRICS())", "-5.5 3 3"),
        ("SUM(METRICS() * 2)", "-11 6 6"),
        ("SUM(100 / [m, other])", "-91.6667 33.3333 150"),
        ("m / PERIOD(m)", "-0.025 - 0.0333333"),
        ("TIME_SERIES(MAX(m))", "2 2 2"),
    ],
)
def test_functions_of_each_point_of_a_series_and_of_an_array(expression: str, result: str) -> None:
    assert worked_out(expression, m="-1.5 - 2", other="-4 3 1") == result


def test_avg_of_an_array_counts_missing_values_as_0() -> None:
    assert worked_out("AVG([m, other])", m="4 - -", other="8 8 -") == "6 4 -"


def test_the_clock_is_a_non_sparse_series_of_utc_timestamps() -> None:
    late = BEGIN + 23 * 60 + 58
    assert worked_out("HOUR(m)", begin=late, m="- 1 - -") == "23 23 0 0"
    assert worked_out("MINUTE(m)", begin=late, m="- 1 - -") == "58 59 0 1"
    assert worked_out("DAY(m)", begin=late, m="- 1 - -") == "1 1 2 2"  # Monday is 1
    assert worked_out("DATE(m) + MONTH(m) * 100 + YEAR(m) * 10000", begin=late, m="1 1 1") == (
        "2.02511e+07 2.02511e+07 2.02511e+07"
    )
    assert worked_out("EPOCH(m) - 60 * 29378880", m="1 1") == "0 60"


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
        ("[m, m]", "one series"),
        ("CEIL(2)", "CEIL of 1"),
        ("m + other", "other"),
        ("REPEAT + m", "REPEAT stands in FILL only"),
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
