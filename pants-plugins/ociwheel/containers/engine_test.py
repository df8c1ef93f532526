from __future__ import annotations

from pathlib import Path

import pytest
from ociwheel_testing.fake_engine import FakeEngine

from ociwheel.containers import engine as container_engine
from ociwheel.containers.engine import engine_for_builds
from ociwheel.errors import ToolError

WHERE = "ciso8601 2.4.1 for linux/arm/v7"


def test_the_engine_of_the_machines_settings(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path, "podman").install()
    engine = engine_for_builds(fake.machine(DOCKER_HOST="unix:///x"), WHERE)
    assert (engine.program, engine.name) == (str(fake.program), "podman")
    assert engine.env == {"DOCKER_HOST": "unix:///x"}
    assert fake.calls == [["info", "--format", "{{.Version.OsArch}}"]]
    assert engine.platform == "linux/amd64"


def test_without_settings_the_usual_places_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeEngine(tmp_path).install()
    monkeypatch.setattr(container_engine, "_FOLDERS", (str(tmp_path),))
    assert engine_for_builds(None, WHERE).program == str(fake.program)
    assert engine_for_builds(tmp_path / "nothing", WHERE).program == str(fake.program)


def test_a_machine_without_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_engine, "_FOLDERS", (str(tmp_path),))
    with pytest.raises(ToolError) as e:
        engine_for_builds(None, WHERE)
    assert str(e.value) == (
        f"{WHERE}: is built in a container (its setting `emulate`), and this machine has neither "
        "docker nor podman\n  -> install one: apt-get install podman (or docker.io); on macOS: brew install podman"
    )
    # The settings name one that is no longer there.
    machine = FakeEngine(tmp_path).machine()
    with pytest.raises(ToolError, match="neither docker nor podman"):
        engine_for_builds(machine, WHERE)


def test_an_engine_that_does_not_answer(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path).install(version="Cannot connect to the Docker daemon\n")
    with pytest.raises(ToolError) as e:
        engine_for_builds(fake.machine(), WHERE)
    assert str(e.value) == (
        f"{WHERE}: is built in a container (its setting `emulate`), and docker does not answer\n"
        f"  {fake.program}: does not answer\n"
        "    Cannot connect to the Docker daemon\n"
        "  -> start the daemon: systemctl start docker; where it runs, let your user reach it: usermod -aG "
        "docker <user>, then log in again"
    )
