"""What one step keeps in a container engine, and its removal, whatever ends the step.

A session has a random name. Its image is tagged with it and its containers are labelled with it; nothing
else is ever touched. While the step lives it holds a lock on a file of that name in the machine's named
cache. The kernel frees the lock when the process ends, so the next session can tell what a killed one left.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ociwheel.containers.engine import ContainerEngine
from ociwheel.containers.engine_images import load
from ociwheel.errors import ToolError
from ociwheel.image.archive import choose
from ociwheel.image.layout import Layout
from ociwheel.image_name import ImageName
from ociwheel.reading import parse_json

LABEL = "ociwheel.session"
_REPOSITORY = "localhost/ociwheel-build"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Session:
    """The one image and the containers of a step."""

    engine: ContainerEngine
    token: str

    @property
    def image(self) -> str:
        """The name of the session's image."""
        return f"{_REPOSITORY}:{self.token}"

    def load(self, layout: Path, work: Path) -> None:
        """Load the image of a layout of one platform.

        :param work: a folder for the archive, which is as large as the layout.
        :raises ToolError: the engine refuses it.
        """
        opened = Layout(layout)
        names, what = [ImageName.parse_tag(self.image)], "the image of the build"
        load(self.engine, opened, choose(opened, None), names, within=work, what=what)

    def create(self, command: Sequence[str]) -> str:
        """Create a container without network, privileges or anything of this machine, and return its id.

        :raises ToolError: the engine refuses it.
        """
        arguments = (
            *("create", "--interactive", "--pull", "never", "--label", f"{LABEL}={self.token}"),
            *("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--user", "65532:65532", "--workdir", "/build"),
        )
        said = self.engine.require("create a container", *arguments, self.image, *command)
        # A warning that the platform is not this machine's may come before it.
        return said.split()[-1]

    def remove(self) -> bool:
        """Remove the containers and the image, and tell whether nothing is left."""
        label = f"label={LABEL}={self.token}"
        listed = self.engine.call("ps", "--all", "--quiet", "--no-trunc", "--filter", label)
        done = listed.returncode == 0
        for container in listed.stdout.split() if done else ():
            removed = self.engine.call("rm", "--force", "--volumes", container)
            done = done and removed.returncode == 0
        images = self.engine.call("images", "--quiet", self.image)
        done = done and images.returncode == 0
        if images.stdout.split() and self.engine.call("rmi", self.image).returncode != 0:
            done = False
        return done


def state_folder(machine: Path | None) -> Path:
    """Return the folder of the session files, which all steps of this user on this machine share."""
    if machine is not None:
        return machine / "containers"
    return Path(tempfile.gettempdir()) / f"ociwheel-containers-{os.getuid()}"


@contextlib.contextmanager
def session(engine: ContainerEngine, folder: Path) -> Iterator[Session]:
    """Open a session; when it ends, also by a signal, nothing of it is left in the engine.

    Whatever killed sessions left is removed first.

    :param folder: see :func:`state_folder`.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(engine, folder)
    opened = Session(engine, secrets.token_hex(8))
    with _marker(folder, opened) as marker, _stoppable():
        try:
            yield opened
        finally:
            with _undisturbed():
                if opened.remove():
                    marker.unlink(missing_ok=True)
                else:
                    sys.stderr.write(
                        f"warning: {engine.name} did not remove the containers and the image of this build; "
                        f"the next build tries again, or: {engine.name} rmi --force {opened.image}\n"
                    )


def sweep(engine: ContainerEngine, folder: Path) -> None:
    """Remove what sessions left whose process is gone, of this engine only."""
    for path in sorted(folder.glob("*.json")):
        try:
            file = path.open("r+b")
        except FileNotFoundError:
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it lives
            try:
                value = parse_json(file.read())
            except ValueError:
                value = None
            if not isinstance(value, dict) or not isinstance(value.get("token"), str):
                path.unlink(missing_ok=True)
                continue
            if value.get("engine") == _identity(engine) and Session(engine, value["token"]).remove():
                path.unlink(missing_ok=True)


def _identity(engine: ContainerEngine) -> list[str]:
    """Return what tells two engines apart: the client, and the daemon that it talks to."""
    hosts = ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST")
    return [engine.program, *(engine.env.get(name, "") for name in hosts)]


@contextlib.contextmanager
def _marker(folder: Path, opened: Session) -> Iterator[Path]:
    """Hold the lock of a session's file, which gets its name when it is locked: no sweep comes between."""
    path = folder / f"{opened.token}.json"
    partial = folder / f".{opened.token}"
    with partial.open("x", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"engine": _identity(opened.engine), "token": opened.token}, file)
        file.flush()
        os.replace(partial, path)
        yield path


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the signals that ask a process to end into an exception, for the time of a session."""

    def stop(number: int, _: FrameType | None) -> None:
        raise ToolError(f"the build was stopped by {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
