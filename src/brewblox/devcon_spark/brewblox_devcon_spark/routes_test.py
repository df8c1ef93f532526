from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from brewblox_devcon_spark.__main__ import build
from brewblox_devcon_spark.settings import SparkSettings


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(build(SparkSettings(discovery_timeout=0.1))) as client:
        yield client


def test_health(client: TestClient) -> None:
    answer = client.get("/health").json()
    assert answer["name"] == "devcon_spark"
    assert answer["checks"] == {"network": True, "units": True}


@pytest.mark.parametrize(
    ("value", "unit", "to", "result"),
    [
        (20, "degC", "degF", 68),
        (1, "bar", "psi", 14.503773773),
        (5, "gallon", "liter", 18.92705892),
        (10, "SRM", "EBC", 19.7),
    ],
)
def test_units(client: TestClient, value: float, unit: str, to: str, result: float) -> None:
    answer = client.get("/units/convert", params={"value": value, "unit": unit, "to": to})
    assert answer.json()["result"] == pytest.approx(result)


@pytest.mark.parametrize("to", ["liter", "nonsense", "((", ""])
def test_units_that_do_not_fit(client: TestClient, to: str) -> None:
    answer = client.get("/units/convert", params={"value": 20, "unit": "degC", "to": to})
    assert answer.status_code == 422


def test_blocks(client: TestClient) -> None:
    encoded = client.post("/blocks/encode", json={"setting": 20.5}).json()
    assert client.post("/blocks/decode", json=encoded).json() == {"setting": 20.5}
    assert client.post("/blocks/decode", json={"data": "?"}).status_code == 422


def test_block_names(client: TestClient) -> None:
    assert client.put("/blocks/names/101", json={"name": "Kettle"}).status_code == 200
    assert client.put("/blocks/names/102", json={"name": "Kettle"}).status_code == 409
    assert client.get("/blocks/names").json() == {"101": "Kettle"}


def test_interfaces(client: TestClient) -> None:
    found = {each["name"]: each["addresses"] for each in client.get("/network/interfaces").json()}
    assert "127.0.0.1" in found["lo"]


def test_profile(client: TestClient) -> None:
    points = [{"time": "2024-03-01", "value": 10}, {"time": "2024-03-03", "value": 20}]
    question = {"profile": {"points": points}, "at": "2024-03-02"}
    assert client.post("/profiles/evaluate", json=question).json()["value"] == 15
