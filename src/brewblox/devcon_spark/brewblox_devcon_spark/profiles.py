"""Setpoint profiles: the temperature that a fermentation should have at a time."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Self

import ciso8601
from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field, model_validator


def parse_time(value: object) -> datetime:
    """Return an ISO 8601 time; one without an offset is in UTC.

    :raises ValueError: when it is none.
    """
    if isinstance(value, str):
        value = ciso8601.parse_datetime(value)
    if not isinstance(value, datetime):
        raise ValueError(f"{value!r} is no ISO 8601 time")  # noqa: TRY004  pydantic turns a ValueError into an answer
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Time = Annotated[datetime, BeforeValidator(parse_time)]


class Point(BaseModel):
    """The value that a profile reaches at a time."""

    time: Time
    value: float


class Profile(BaseModel):
    """Points in the order of time, joined by straight lines; outside of them the nearest value stays."""

    points: list[Point] = Field(min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if any(first.time >= second.time for first, second in pairwise(self.points)):
            raise ValueError("the points of a profile must be in the order of time")
        return self

    def value_at(self, time: datetime) -> float:
        """Return the value at ``time``."""
        after = bisect_right(self.points, time, key=lambda point: point.time)
        if after == 0:
            return self.points[0].value
        if after == len(self.points):
            return self.points[-1].value
        first, second = self.points[after - 1], self.points[after]
        share = (time - first.time) / (second.time - first.time)
        return first.value + share * (second.value - first.value)


class Evaluation(BaseModel):
    """A question to a profile."""

    profile: Profile
    at: Time


class Setpoint(BaseModel):
    """The answer of a profile."""

    at: datetime
    value: float


def create_router() -> APIRouter:
    """Return the routes of ``/profiles``."""
    router = APIRouter(prefix="/profiles", tags=["profiles"])

    @router.post("/evaluate")
    async def evaluate(question: Evaluation) -> Setpoint:
        """Tell the value that a profile has at a time."""
        return Setpoint(at=question.at, value=question.profile.value_at(question.at))

    return router
