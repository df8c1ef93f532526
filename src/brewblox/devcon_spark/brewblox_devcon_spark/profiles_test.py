from __future__ import annotations

import pytest
from pydantic import ValidationError

from brewblox_devcon_spark.profiles import Profile, parse_time

POINTS = [
    {"time": "2024-03-01T00:00:00Z", "value": 18},
    {"time": "2024-03-03T00:00:00Z", "value": 20},
    {"time": "2024-03-03T02:00:00+01:00", "value": 4},
]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("2024-02-01", 18),
        ("2024-03-02T00:00:00Z", 19),
        ("2024-03-03T00:30:00Z", 12),
        ("2024-03-04", 4),
    ],
)
def test_value_between_and_beyond_the_points(at: str, value: float) -> None:
    assert Profile.model_validate({"points": POINTS}).value_at(parse_time(at)) == pytest.approx(value)


def test_points_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="in the order of time"):
        Profile.model_validate({"points": POINTS[::-1]})


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValidationError, match="Invalid character"):
        Profile.model_validate({"points": [{"time": "tomorrow", "value": 1}]})
    with pytest.raises(ValidationError, match="is no ISO 8601 time"):
        Profile.model_validate({"points": [{"time": 5, "value": 1}]})
