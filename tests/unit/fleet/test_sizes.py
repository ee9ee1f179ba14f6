"""Fargate's sizes, held against its documented table (ECS: RegisterTaskDefinition)."""

from __future__ import annotations

import pytest

from consumer.fleet.cloud.sizes import SIZES, Size

TABLE = {
    256: [512, 1024, 2048],
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16_384 + 1, 1024),
    4096: range(8192, 30_720 + 1, 1024),
    8192: range(16 * 1024, 60 * 1024 + 1, 4 * 1024),
    16_384: range(32 * 1024, 120 * 1024 + 1, 8 * 1024),
}


def test_the_sizes_are_fargate_s_own_and_no_others() -> None:
    assert [(size.cpu, size.memory) for size in SIZES] == [(cpu, mib) for cpu, row in TABLE.items() for mib in row]


@pytest.mark.parametrize(
    ("size", "words"), [(Size(256, 512), "0.25 vCPU, 0.5 GB"), (Size(16_384, 122_880), "16 vCPU, 120 GB")]
)
def test_a_size_reads_as_aws_writes_it(size: Size, words: str) -> None:
    assert str(size) == words
