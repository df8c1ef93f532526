from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from brewblox_history.__main__ import build
from brewblox_history.journal import decode, encode
from brewblox_history.retention import Limit, Retention, read_retention
from brewblox_history.series import Point, parse_time
from brewblox_history.settings import HistorySettings


class ListJournal:
    """A journal that survives a restart as Redis does, in a list of encoded entries."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.closed = 0

    async def append(self, topic: str, point: Point) -> None:
        self.entries.append(encode(topic, point))

    async def replay(self) -> AsyncIterator[tuple[str, Point]]:
        for entry in self.entries:
            yield decode(entry)

    async def close(self) -> None:
        self.closed += 1


def test_points_are_answered() -> None:
    with TestClient(build(HistorySettings())) as client:
        for minute, value in enumerate([1.0, 3.0, 8.0]):
            body = {"value": value, "time": f"2024-03-01T00:0{minute}:00Z"}
            assert client.post("/timeseries/spark/one", json=body).status_code == 201
        answer = client.get("/timeseries/spark/one", params={"start": "2024-03-01T00:01:00Z"}).json()
        assert answer["values"] == [3, 8]
        coarse = client.get("/timeseries/spark/one", params={"interval": 120, "method": "mean"}).json()
        assert coarse == {
            "topic": "spark/one",
            "times": ["2024-03-01T00:00:00Z", "2024-03-01T00:02:00Z"],
            "values": [2, 8],
        }
        assert client.get("/timeseries").json() == {"spark/one": 3}


def test_what_cannot_be_answered() -> None:
    with TestClient(build(HistorySettings())) as client:
        assert client.get("/timeseries/none").status_code == 404
        assert client.post("/timeseries/one", json={"value": 1, "time": "yesterday"}).status_code == 422
        client.post("/timeseries/one", json={"value": 1})
        assert client.get("/timeseries/one", params={"method": "median"}).status_code == 422


def test_points_survive_a_restart() -> None:
    journal = ListJournal()
    with TestClient(build(HistorySettings(), journal)) as client:
        client.post("/timeseries/one", json={"value": 1.5, "time": "2024-03-01"})
    with TestClient(build(HistorySettings(), journal)) as client:
        assert client.get("/timeseries/one").json()["values"] == [1.5]
    assert journal.closed == 2


def test_entries_of_the_journal_are_whole() -> None:
    point = Point(parse_time("2024-03-01T12:00:00.250Z"), 20.125)
    assert decode(encode("spark/one", point)) == ("spark/one", point)


def test_the_limits_of_the_repository_are_read() -> None:
    retention = read_retention(HistorySettings().retention_file)
    assert retention.limit("test/any/thing") == Limit(hours=1, points=100)
    assert retention.limit("other") == retention.default


def test_without_a_file_the_limits_are_built_in(tmp_path: Path) -> None:
    assert read_retention(tmp_path / "none.json") == Retention()


def test_a_wrong_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "retention.json"
    file.write_text('{"default": {"hours": 0, "points": 1}}')
    with pytest.raises(ValueError, match="greater than 0"):
        read_retention(file)
