from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from brewblox_service.app import create_app
from brewblox_service.settings import ServiceSettings


def test_health_names_the_service() -> None:
    with TestClient(create_app(ServiceSettings(name="one"))) as client:
        answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() | {"uptime": 0} == {"name": "one", "status": "ok", "uptime": 0, "checks": {}}


def test_health_fails_with_the_part_that_fails() -> None:
    def broken() -> bool:
        raise OSError("no connection")

    app = create_app(ServiceSettings(), checks={"store": broken, "clock": lambda: True})
    with TestClient(app) as client:
        answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"store": False, "clock": True}


def test_an_event_reaches_the_websocket() -> None:
    listening = "/events?pattern=spark/%2B"
    with (
        TestClient(create_app(ServiceSettings())) as client,
        client.websocket_connect(listening) as websocket,
    ):
        assert client.post("/events/history/one", json={"value": 0}).json()["listeners"] == 0
        assert client.post("/events/spark/one", json={"value": 1}).json()["listeners"] == 1
        assert websocket.receive_json() == {"topic": "spark/one", "payload": {"value": 1}}


def test_the_page_is_a_resource_of_the_package() -> None:
    with TestClient(create_app(ServiceSettings(name="two"))) as client:
        assert "<h1>two</h1>" in client.get("/").text


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREWBLOX_PORT", "5001")
    assert ServiceSettings().port == 5001
    monkeypatch.setenv("BREWBLOX_PORT", "70000")
    with pytest.raises(ValidationError, match="less than or equal to 65535"):
        ServiceSettings()
