from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from brewblox_history.retention import Limit
from brewblox_history.series import Point, Series, aggregate, parse_time

START = datetime(2024, 3, 1, tzinfo=UTC)


def at(seconds: float, value: float = 0) -> Point:
    return Point(START + timedelta(seconds=seconds), value)


def filled(limit: Limit, *seconds: float) -> Series:
    series = Series(limit)
    for each in seconds:
        series.add(at(each, each))
    return series


def test_points_come_out_in_order() -> None:
    series = filled(Limit(hours=1, points=10), 3, 1, 2)
    assert [point.value for point in series.between(None, None)] == [1, 2, 3]


def test_a_span_has_its_start_and_not_its_end() -> None:
    series = filled(Limit(hours=1, points=10), 1, 2, 3)
    assert [point.value for point in series.between(at(1).time, at(3).time)] == [1, 2]


def test_too_many_points_drop_the_oldest() -> None:
    assert [point.value for point in filled(Limit(hours=1, points=2), 1, 2, 3).between(None, None)] == [2, 3]


def test_points_older_than_the_limit_go() -> None:
    assert [point.value for point in filled(Limit(hours=1, points=9), 0, 10, 3605).between(None, None)] == [
        10,
        3605,
    ]


@pytest.mark.parametrize(
    ("method", "values"), [("mean", [2, 9]), ("max", [3, 9]), ("last", [3, 9]), ("sum", [4, 9])]
)
def test_aggregate(method: str, values: list[float]) -> None:
    points = [at(0, 1), at(59, 3), at(120, 9)]
    result = aggregate(points, timedelta(minutes=1), method)
    assert result == [at(0, values[0]), at(120, values[1])]


def test_times_are_in_utc() -> None:
    assert parse_time("2024-03-01T01:00:00+01:00") == parse_time("20240301") == START
