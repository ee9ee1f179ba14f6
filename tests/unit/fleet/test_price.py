"""What AWS charges: the table's form, what wins over it, and the arithmetic on it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import PlanError
from consumer.fleet.planning import price
from consumer.fleet.planning.price import ITEMS

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
TOKYO = price.load("ap-northeast-1")

BLOCK = """
[[price]]
regions = ["us-east-1"]
date = 2027-01-01
source = "the offer in our contract"
fargate_arm_vcpu_hour = 0.02
"""


def file(folder: Path, text: str) -> Path:
    path = folder / "prices.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_of_the_table_has_every_price_with_its_day_and_source(region: str) -> None:
    prices = price.load(region)
    assert set(prices.table) == set(ITEMS)
    for item in ITEMS:
        found = prices.of(item)
        assert found.dollars > 0
        assert found.date >= dt.date(2026, 1, 1)
        assert "AWS" in found.source or "aws.amazon.com" in found.source or found.source.startswith("assumed")


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("unit", ["vcpu", "gb"])
def test_arm_costs_a_fifth_less_than_x86_and_spot_a_third_of_either(region: str, unit: str) -> None:
    dollars = price.load(region).dollars
    for spot in ("", "_spot"):
        assert dollars(f"fargate_arm{spot}_{unit}_hour") == pytest.approx(
            0.8 * dollars(f"fargate_x86{spot}_{unit}_hour"), rel=0.01
        )
    assert dollars(f"fargate_x86_spot_{unit}_hour") / dollars(f"fargate_x86_{unit}_hour") == pytest.approx(
        0.31, abs=0.02
    )


def tokyo(vcpu: float, gib: float, *, arm: bool, spot: bool) -> float:
    return price.per_second(vcpu, gib, arm=arm, spot=spot, prices=TOKYO, public_ip=False)


def test_a_container_of_one_vcpu_and_two_gib_costs_five_cents_an_hour_in_tokyo() -> None:
    assert tokyo(1, 2, arm=True, spot=False) * 3600 == pytest.approx(0.04929)
    assert tokyo(1, 2, arm=False, spot=False) * 3600 == pytest.approx(0.06162)
    assert tokyo(1, 2, arm=False, spot=True) * 3600 == pytest.approx(0.01905542)


def test_an_address_costs_half_as_much_as_the_smallest_container_that_has_it() -> None:
    without, having = (
        price.per_second(0.25, 0.5, arm=True, spot=False, prices=price.load(), public_ip=one) for one in (False, True)
    )
    assert without * 3600 == pytest.approx(0.009875)
    assert having - without == pytest.approx(0.005 / 3600)


def test_the_first_region_is_taken_where_none_is_named() -> None:
    assert price.load().dollars("fargate_x86_vcpu_hour") == 0.04048


@pytest.mark.parametrize(("seconds", "billed"), [(0, 60), (59.9, 60), (60, 60), (60.1, 61), (3600, 3600)])
def test_a_task_is_billed_by_the_second_and_for_a_minute_at_least(seconds: float, billed: float) -> None:
    assert price.billed(seconds) == billed


def test_a_function_is_billed_by_its_memory_its_seconds_and_its_runs() -> None:
    dollars = price.function(2000, 165, 0.125, arm=True, prices=TOKYO)
    assert dollars == pytest.approx(2000 * 165 * 0.125 * 0.0000133334 + 2000 * 0.0000002)


def test_a_metric_is_billed_by_the_hour_and_an_alarm_by_the_metrics_that_it_refers_to() -> None:
    assert price.watching(10, 12, TOKYO) == pytest.approx(3.0 + 1.2)
    assert price.watching(10, 12, TOKYO, share=0.25) == pytest.approx(0.75 + 1.2)
    assert price.requests(1_000_000, TOKYO) == pytest.approx(0.4)


@given(cpu=st.floats(0.25, 16), memory=st.floats(0.5, 120), more=st.floats(0.01, 8), arm=st.booleans())
def test_more_of_anything_never_costs_less(cpu: float, memory: float, more: float, arm: bool) -> None:  # noqa: FBT001 - drawn
    dollars = tokyo(cpu, memory, arm=arm, spot=False)
    assert tokyo(cpu + more, memory, arm=arm, spot=False) > dollars
    assert tokyo(cpu, memory + more, arm=arm, spot=False) > dollars
    assert tokyo(cpu, memory, arm=arm, spot=True) < dollars


def test_a_file_of_one_s_own_wins_and_what_it_leaves_out_stays(tmp_path: Path) -> None:
    prices = price.load("us-east-1", file(tmp_path, BLOCK))
    found = prices.of("fargate_arm_vcpu_hour")
    assert (found.dollars, found.date, found.source) == (0.02, dt.date(2027, 1, 1), "the offer in our contract")
    assert prices.dollars("fargate_arm_gb_hour") == price.load("us-east-1").dollars("fargate_arm_gb_hour")


def test_a_file_without_a_price_for_the_region_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"expected a price for eu-west-1, or for \*; got some for us-east-1"):
        price.load("eu-west-1", file(tmp_path, BLOCK))


def test_a_region_s_own_price_wins_over_one_for_everywhere(tmp_path: Path) -> None:
    text = BLOCK + BLOCK.replace('"us-east-1"', '"*"').replace("0.02", "0.9")
    assert price.load("us-east-1", file(tmp_path, text)).dollars("fargate_arm_vcpu_hour") == 0.02


def test_a_region_that_is_not_in_the_table_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"one of ap-northeast-1, eu-west-1, us-east-1; got mars-1"):
        price.load("mars-1")
    prices = price.load("mars-1", file(tmp_path, BLOCK.replace("us-east-1", "mars-1")))
    assert prices.dollars("fargate_arm_vcpu_hour") == 0.02
    with pytest.raises(PlanError, match=r'prices of mars-1: expected fargate_x86_vcpu_hour; got none.*"mars-1"'):
        prices.dollars("fargate_x86_vcpu_hour")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[price]\n", "prices.toml: expected TOML"),
        ("", "expected [[price]] blocks; got none"),
        ("price = 1", "expected [[price]] blocks"),
        ("price = [1]", "expected a [[price]] block; got 1"),
        (BLOCK.replace('["us-east-1"]', '"us-east-1"'), 'price 1, regions: expected a list such as ["us-east-1"]'),
        (BLOCK.replace("2027-01-01", '"today"'), "price 1, date: expected a day such as 2026-09-29; got 'today'"),
        (BLOCK.replace("the offer in our contract", " "), "price 1, source: expected where the price is from"),
        (BLOCK.replace("_vcpu_hour", "_vcpu_hours"), "got fargate_arm_vcpu_hours. To do: write fargate_arm_vcpu_hour"),
        (BLOCK.replace("0.02", "-1"), "fargate_arm_vcpu_hour: expected dollars, 0 or more; got -1"),
        (BLOCK.replace("0.02", "nan"), "got nan"),
        (BLOCK.replace("0.02", "true"), "got True"),
        (BLOCK.replace("0.02", '"0.02"'), "got '0.02'"),
        (BLOCK + BLOCK.replace("0.02", "inf"), "price 2, fargate_arm_vcpu_hour"),
    ],
)
def test_a_wrong_file_is_refused_and_the_block_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        price.load("us-east-1", file(tmp_path, text))
    assert said in str(caught.value)
    assert "To do: " in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"--prices: expected a file that can be read; got .*none.toml"):
        price.load("us-east-1", tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match=r"binary.toml"):
        price.load("us-east-1", tmp_path / "binary.toml")
