"""The step `run` with a client that notes what it is asked; tests/e2e runs it with the real ones."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ociwheel.containers.engine import find_engine
from ociwheel.errors import ToolError

ROOT = Path(__file__).parent.parent.parent
# Answers as `docker` and `podman` do; keeps the ID of the loaded image in a file.
CLIENT = """\
#!/bin/sh
echo "$*" >>"$STATE/asked"
case "$1" in
version|info) [ -e "$STATE/down" ] && { echo "cannot connect" >&2; exit 1; }; echo linux/amd64 ;;
image) cat "$STATE/loaded" 2>/dev/null || exit 1 ;;
load) tar -xOf "$4" manifest.json | sed 's/.*blobs.sha256.\\([0-9a-f]*\\)",.Layers.*/sha256:\\1/' >"$STATE/loaded" ;;
run) case "$*" in *--entrypoint*) [ -e "$STATE/emulator" ] || { echo "exec format error" >&2; exit 126; } ;; esac
     echo "ran"; exit 3 ;;
esac
"""


def layout_of(folder: Path, architecture: str) -> tuple[Path, str]:
    """Write an image of one platform; return it and the digest of its configuration."""
    (folder / "blobs/sha256").mkdir(parents=True)

    def put(value: Any, kind: str, **more: Any) -> dict[str, Any]:
        data = json.dumps(value).encode()
        number = hashlib.sha256(data).hexdigest()
        (folder / "blobs/sha256" / number).write_bytes(data)
        kind = f"application/vnd.oci.image.{kind}.v1+json"
        return {"mediaType": kind, "digest": f"sha256:{number}", "size": len(data), **more}

    config = put({"architecture": architecture}, "config")
    platform = {"os": "linux", "architecture": architecture}
    manifest = put({"schemaVersion": 2, "config": config, "layers": []}, "manifest", platform=platform)
    index = put({"schemaVersion": 2, "manifests": [manifest]}, "index")
    (folder / "index.json").write_text(json.dumps({"manifests": [index]}))
    return folder, config["digest"]


class Machine:
    """A machine on which some clients are installed."""

    def __init__(self, folder: Path, *clients: str) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in clients:
            (self.bin / name).write_text(CLIENT)
            (self.bin / name).chmod(0o755)

    def run(self, layout: Path, platform: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the step and take what the client was asked."""
        (self.state / "asked").unlink(missing_ok=True)
        env = {"PATH": f"{self.bin}:/usr/bin:/bin", "STATE": str(self.state), "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-m", "ociwheel", "run", "--layout", str(layout), "--platform", platform]
        argv += ["--name", "localhost/x:run", "--engine", "docker", *arguments]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    @property
    def asked(self) -> list[str]:
        """The commands that the client got."""
        return (self.state / "asked").read_text().splitlines()


def test_it_loads_what_the_engine_lacks_once_and_becomes_the_client(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "docker")
    layout, config = layout_of(tmp_path / "layout", "amd64")
    flags = ("--publish=1:2", "--env=A=b", "--engine-argument=--tty", "--", "--help")
    first = machine.run(layout, "linux/amd64", *flags)
    assert (first.returncode, first.stdout) == (3, "ran\n"), first.stderr
    assert [line.split()[0] for line in machine.asked] == ["version", "image", "load", "image", "run"]
    assert machine.asked[-1] == f"run --rm --pull=never --publish 1:2 --env A=b --tty {config} --help"
    second = machine.run(layout, "linux/amd64", *flags)
    assert second.returncode == 3
    assert [line.split()[0] for line in machine.asked] == ["version", "image", "run"]


def test_an_image_is_only_loaded_with_the_engine_of_the_machines_settings(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "docker")
    layout, config = layout_of(tmp_path / "layout", "arm64")
    variables = {"PATH": f"{machine.bin}:/usr/bin:/bin", "STATE": str(machine.state)}
    (tmp_path / "container-engine.json").write_text(json.dumps({"engines": [], "env": variables}))
    argv = [sys.executable, "-m", "ociwheel", "run", "--load-only", "--layout", str(layout)]
    argv += ["--platform", "linux/arm64", "--engine", "docker", "--name", "team/x:1", "--name", "team/x"]
    env = {"OCIWHEEL_MACHINE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == {
            "schema": "ociwheel.loaded/1",
            "engine": "docker",
            "image": config,
            "names": ["team/x:1", "team/x:latest"],
        }
    asked = [line.split()[0] for line in machine.asked]
    assert (asked.count("load"), asked.count("run")) == (1, 0)
    # One of the names is of another image by now: both are set again.
    (machine.state / "loaded").write_text("sha256:" + "0" * 64)
    assert (
        json.loads(subprocess.run(argv, env=env, capture_output=True, check=True).stdout)["image"] == config
    )


def test_another_platform_needs_an_emulator(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "docker")
    layout, config = layout_of(tmp_path / "layout", "arm64")
    done = machine.run(layout, "linux/arm64")
    assert done.returncode == 20
    assert done.stderr.endswith(
        "error: this machine's docker runs linux/amd64, and has no emulator for linux/arm64\n"
        "  exec format error\n"
        "  -> install emulators: apt-get install qemu-user-static; Docker Desktop brings its own\n"
    )
    (machine.state / "emulator").touch()
    assert machine.run(layout, "linux/arm64").returncode == 3
    assert machine.asked[-1] == f"run --rm --pull=never --platform linux/arm64 {config}"


def test_the_first_engine_that_answers(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "podman")
    env = {"PATH": f"{machine.bin}:/nowhere", "STATE": str(machine.state)}
    (machine.bin / "sh").symlink_to("/bin/sh")
    assert find_engine("auto", env).name == "podman"
    (machine.state / "down").touch()
    with pytest.raises(ToolError) as caught:
        find_engine("auto", {**env, "PATH": f"{machine.bin}{os.pathsep}/nowhere"})
    assert caught.value.render().splitlines() == [
        "no container engine answers",
        "  docker: not installed",
        "  podman: cannot connect",
        "  -> install one: apt-get install podman (or docker.io); on macOS: brew install podman",
    ]


def test_a_container_that_reads_what_is_typed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "docker")
    layout, config = layout_of(tmp_path / "layout", "amd64")
    (machine.state / "emulator").touch()
    done = machine.run(layout, "linux/amd64", "--attach", "--", "-c", "ls")
    assert done.returncode == 3, done.stderr
    # Here is no terminal: an engine refuses to give one.
    assert machine.asked[-1] == f"run --rm --pull=never --interactive {config} -c ls"
