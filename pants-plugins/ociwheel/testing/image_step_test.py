"""The step `test` by hand: without a command, in an engine that notes what it is asked, and where nothing runs.

In namespaces it runs in tests/integration.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ociwheel.containers.run_step_test import CLIENT, layout_of
from ociwheel.documents import schema

ROOT = Path(__file__).parent.parent.parent
FACTS = {
    "schema": schema("layer-facts"),
    "files": [["app/bin/python", "f", 0o755, 0, 0, 0, ""]],
    "elf": [],
}
COMMAND = ("--", "/app/bin/python", "-m", "pytest")


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    (tmp_path / "facts.json").write_text(json.dumps(FACTS))
    expected = {"files_present": ["/app/bin/python"], "commands": ["python"], "env": {"LANG": "C"}}
    value = {"facts": [str(tmp_path / "facts.json")], "user": "0", "expected": expected}
    path = tmp_path / "request.json"
    path.write_text(json.dumps({**value, "env": {"LANG": "C", "PATH": "/app/bin"}}))
    return path


def step(folder: Path, request: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the step in a folder of its own."""
    argv = [sys.executable, "-m", "ociwheel", "test", "--request", str(request), *arguments]
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(argv, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def in_layout(folder: Path) -> list[str]:
    layout, _ = layout_of(folder / "layout", "amd64")
    words = ["--layout", str(layout), "--platform", "linux/amd64", "--name", "localhost/x:test"]
    return [*words, "--output", str(folder / "out")]


def machine_with(folder: Path, *clients: str) -> str:
    """Write a machine's settings that name clients; return the folder."""
    state = folder / "state"
    state.mkdir()
    paths = []
    for name in clients:
        path = folder / name
        path.write_text(CLIENT)
        path.chmod(0o755)
        paths.append(str(path))
    env = {"STATE": str(state), "PATH": "/usr/bin:/bin"}
    (folder / "container-engine.json").write_text(json.dumps({"engines": paths, "env": env}))
    return str(folder)


def test_expectations_alone(tmp_path: Path, request_file: Path) -> None:
    done = step(tmp_path, request_file)
    assert json.loads(done.stdout) == {"schema": "ociwheel.tested/1", "held": 3}


def test_an_expectation_that_does_not_hold_runs_nothing(tmp_path: Path, request_file: Path) -> None:
    value = json.loads(request_file.read_text())
    request_file.write_text(
        json.dumps({**value, "user": "7"}).replace('"commands"', '"user": "8", "commands"')
    )
    done = step(tmp_path, request_file, *in_layout(tmp_path), *COMMAND)
    assert done.returncode == 18
    assert "1 of 4 expectations do not hold\n  user: it is 7, not 8\n" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_engine_runs_the_command_where_there_are_no_namespaces(tmp_path: Path, request_file: Path) -> None:
    machine = machine_with(tmp_path, "docker", "podman")
    (tmp_path / "state/emulator").touch()
    words = ("--env", "A=b", "--env", "C=d e")
    done = step(tmp_path, request_file, *in_layout(tmp_path), *words, *COMMAND, OCIWHEEL_MACHINE=machine)
    assert (done.returncode, done.stdout) == (3, "ran\n"), done.stderr
    assert "the tests run in a container engine, because this machine gives no namespaces" in done.stderr
    assert "the lock of the base has no bubblewrap" in done.stderr
    *_, asked = (tmp_path / "state/asked").read_text().splitlines()
    image = (tmp_path / "state/loaded").read_text().strip()
    assert asked == (
        f"run --rm --pull=never --volume {tmp_path}/out:/ociwheel-test/out --env A=b --env C=d e "
        f"--entrypoint /app/bin/python {image} -m pytest"
    )
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777


def test_the_engine_that_was_asked_for(tmp_path: Path, request_file: Path) -> None:
    machine = machine_with(tmp_path, "docker")
    (tmp_path / "state/down").touch()
    words = ("--runner", "docker")
    done = step(tmp_path, request_file, *in_layout(tmp_path), *words, *COMMAND, OCIWHEEL_MACHINE=machine)
    assert done.returncode == 20
    assert f"no container engine answers\n  {tmp_path}/docker: cannot connect\n" in done.stderr
    done = step(
        tmp_path, request_file, *in_layout(tmp_path / "b"), "--runner", "podman", *COMMAND,
        OCIWHEEL_MACHINE=machine,
    )  # fmt: skip
    assert done.stderr.startswith("error: no container engine answers\n  -> install one: ")


def test_namespaces_that_cannot_be_had(tmp_path: Path, request_file: Path) -> None:
    done = step(tmp_path, request_file, *in_layout(tmp_path), "--runner", "namespaces", *COMMAND)
    assert done.returncode == 20
    why = "this machine gives tests no root of their own: the lock of the base has no bubblewrap"
    assert why in done.stderr
