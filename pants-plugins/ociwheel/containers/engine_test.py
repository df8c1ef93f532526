from __future__ import annotations

from pathlib import Path

import pytest
from ociwheel_testing.fake_engine import FakeEngine

from ociwheel.containers import engine as container_engine
from ociwheel.containers.engine import find_engine
from ociwheel.errors import ToolError

WHERE = "ciso8601 2.4.1 for linux/arm/v7"


def test_the_engine_of_the_machines_settings(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path, "podman").install()
    engine = find_engine(fake.machine(DOCKER_HOST="unix:///x"), WHERE)
    assert (engine.program, engine.name) == (str(fake.program), "podman")
    assert engine.env == {"DOCKER_HOST": "unix:///x"}
    assert fake.calls == [["version"]]


def test_without_settings_the_usual_places_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeEngine(tmp_path).install()
    monkeypatch.setattr(container_engine, "_FOLDERS", (str(tmp_path),))
    assert find_engine(None, WHERE).program == str(fake.program)
    assert find_engine(tmp_path / "nothing", WHERE).program == str(fake.program)


def test_a_machine_without_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_engine, "_FOLDERS", (str(tmp_path),))
    with pytest.raises(ToolError) as e:
        find_engine(None, WHERE)
    assert str(e.value) == (
        f"{WHERE}: is built in a container (its setting `emulate`), and this machine has neither "
        "docker nor podman\n  -> install one: apt-get install docker.io, or apt-get install podman"
    )
    # The settings name one that is no longer there.
    machine = FakeEngine(tmp_path).machine()
    with pytest.raises(ToolError, match="neither docker nor podman"):
        find_engine(machine, WHERE)


def test_an_engine_that_does_not_answer(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path).install(version="Cannot connect to the Docker daemon\n")
    with pytest.raises(ToolError) as e:
        find_engine(fake.machine(), WHERE)
    assert str(e.value) == (
        f"{WHERE}: is built in a container (its setting `emulate`), and docker does not answer\n"
        f"  {fake.program} version: exit code 1\n"
        "    Cannot connect to the Docker daemon\n"
        "  -> start the daemon: systemctl start docker; where it runs, let your user reach it: usermod -aG "
        "docker <user>, then log in again"
    )
