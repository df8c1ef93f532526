"""The two ways of one sdist, one after the other, each from nothing but the one-time parts."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from bench.speed.inputs import Sdist
from bench.speed.steps import Steps
from ociwheel.build import emulated
from ociwheel.build.sdist_settings import Settings
from ociwheel.containers.build_session import Session, session
from ociwheel.containers.engine import ContainerEngine
from tests.support.engine import Engine, find_tool


@dataclass(frozen=True)
class Pair:
    """Seconds of one sdist."""

    name: str
    version: str
    cross: float
    emulated: float
    load: tuple[float, float]
    """The machine's load average of a minute at the start of each: what else ran on it."""

    @property
    def ratio(self) -> float:
        """How many times as long the emulated build took."""
        return self.emulated / self.cross


def prepare_cross(steps: Steps, compiler: str) -> None:
    """Make what cross builds share."""
    interpreter = ("--debs", "interpreter-debs", "--target", "host.json", "--output", "interpreter")
    steps.timed("interpreter", "interpreter", *interpreter)
    steps.timed("compiler (zig)", "zig", "--wheel", compiler, "--output", "zig")
    sysroot = ("--debs", "sysroot-debs", "--target", "target.json", "--output", "sysroot")
    steps.timed("sysroot", "sysroot", *sysroot)


def prepare_emulated(steps: Steps) -> None:
    """Make the image of the container; it is loaded later."""
    arguments = ("--debs", "container-debs", "--target", "target.json", "--output", "image")
    steps.timed("container image", "container", *arguments, interpreter=True)


def measure(steps: Steps, engine: Engine, sdists: tuple[Sdist, ...]) -> list[Pair]:
    """Build each sdist cross and emulated, alternating, so that both see the same other load."""
    client = ContainerEngine(find_tool("docker") or "docker", {"DOCKER_HOST": engine.address})
    with session(client, steps.work / "containers") as opened:
        start = time.monotonic()
        opened.load(steps.work / "image", steps.work)
        steps.seconds["load of the image"] = time.monotonic() - start
        return [_pair(steps, opened, sdist) for sdist in sdists]


def _pair(steps: Steps, opened: Session, sdist: Sdist) -> Pair:
    steps.write("settings.json", {"name": sdist.name, "version": sdist.version})
    first = os.getloadavg()[0]
    steps.timed(
        f"cross {sdist.name}",
        "build",
        *("--sdist", f"sdists/{sdist.filename}", "--target", "target.json"),
        *("--requirements", f"requirements/{sdist.name}", "--sysroot", "sysroot"),
        *("--zig", "zig", "--settings", "settings.json", "--output", "cross"),
        interpreter=True,
    )
    second, start = os.getloadavg()[0], time.monotonic()
    scratch, output = steps.work / "scratch", steps.work / "emulated"
    scratch.mkdir()
    output.mkdir(exist_ok=True)
    inputs = emulated.Inputs(
        sdist=steps.work / "sdists" / sdist.filename,
        requirements=tuple(sorted((steps.work / "requirements" / sdist.name).glob("*.whl"))),
        target_file=steps.work / "target.json",
        settings_file=steps.work / "settings.json",
    )
    emulated.build(opened, inputs, Settings(sdist.name, sdist.version), scratch, output)
    took = time.monotonic() - start
    shutil.rmtree(scratch)
    cross = steps.seconds.pop(f"cross {sdist.name}")
    _check_same_modules(steps.work, sdist)
    return Pair(sdist.name, sdist.version, cross, took, (first, second))


def _check_same_modules(work: Path, sdist: Sdist) -> None:
    """Check that both ways made as many extension modules: a fast build of less is no result.

    :raises ValueError: they did not.
    """
    found = []
    for folder in ("cross", "emulated"):
        (wheel,) = (work / folder).glob(f"{sdist.name}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            found.append(sorted(name for name in archive.namelist() if name.endswith(".so")))
    if found[0] != found[1] or not found[0]:
        raise ValueError(f"{sdist.name}: cross made {found[0]}, emulated made {found[1]}")
