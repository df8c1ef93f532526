"""A build in a container of its own platform: sdist in, wheel out, as tars; nothing is mounted.

Without mounts the engine may be in a virtual machine or on another host, and no file of the build belongs to
somebody whom the sandbox's owner cannot remove.
"""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import ociwheel
from ociwheel.build.checks import BuiltWheel
from ociwheel.build.diagnose import CONTAINER, Context, diagnose
from ociwheel.build.finish import finish
from ociwheel.build.in_container import ROOT, STARTED, Result
from ociwheel.build.sdist_settings import Settings
from ociwheel.containers.build_session import Session
from ociwheel.containers.engine import shortened
from ociwheel.documents import read_error
from ociwheel.errors import BuildError, ToolError
from ociwheel.process import Completed
from ociwheel.reading import Value, bytes_of, failing, from_json
from ociwheel.target import Target

_LIBRARIES = ("installer", "packaging", "pyproject_hooks")
# Runs in the container. The backend gives each step what it imports, and reads this import too.
_MAIN = """\
import sys
sys.path[:0] = ["/build/in/core", "/build/in/lib"]
from ociwheel.build.in_container import main
main()
"""
_CANNOT_RUN = re.compile(r"exec format error", re.IGNORECASE)
_NO_LOADER = re.compile(r"exec\b.*no such file or directory", re.IGNORECASE)
_LONGEST_ANSWER = 16 << 20
"""Bytes: most of it is what the build printed."""
_KILLED = 137  # 128 + SIGKILL


@dataclass(frozen=True)
class Inputs:
    """The content that a build depends on, beside the image."""

    sdist: Path
    requirements: tuple[Path, ...]
    target_file: Path
    settings_file: Path


def build(session: Session, inputs: Inputs, settings: Settings, work: Path, output: Path) -> BuiltWheel:
    """Build one wheel with the session's image.

    :param work: an empty folder.
    :param output: the folder that gets the wheel.
    :raises BuildError: it does not build, or builds less than it should.
    :raises ToolError: the engine does not do its part.
    """
    target = Target.read(inputs.target_file)
    where = f"{settings.name} {settings.version} for {target.platform.oci}, Python {target.python_minor}"
    result = _run(session, inputs, target, where, work)
    if result.error:
        raise read_error(Value(result.error, "error", failing(ToolError, where)), BuildError)
    if result.failed_hook or result.wheel is None:
        raise diagnose(result.lines, Context(where, settings.resolve, settings.base, target, CONTAINER))
    made = work / "out" / Path(result.wheel).name
    if not made.exists() or not stat.S_ISREG(made.lstat().st_mode):
        raise BuildError(f"the backend left no file {result.wheel}", where=where)
    return finish(
        made,
        output,
        settings=settings,
        where=where,
        target=target,
        sources=result.sources,
        compiled=result.compiled,
        forbidden=(),  # the build's folder is the same everywhere
        lines=result.lines,
    )


def _run(session: Session, inputs: Inputs, target: Target, where: str, work: Path) -> Result:
    engine = session.engine
    python = f"/usr/bin/python{target.python_minor}"
    container = session.create([python, "-I", "-S", "-B", "-X", "utf8", "-c", _MAIN])
    tar = _input_tar(inputs)
    engine.require("copy the sdist into the container", "cp", "-", f"{container}:{ROOT}", stdin=tar)
    done = engine.attach(container)
    if STARTED not in done.stdout:
        raise _not_started(engine.name, target, where, done)
    engine.require("copy the wheel out of the container", "cp", f"{container}:{ROOT}/out", str(work / "out"))
    engine.call("rm", "--force", "--volumes", container)
    answer = work / "out/result.json"
    if not os.path.lexists(answer):
        killed = done.returncode == _KILLED
        raise ToolError(
            f"the container ended with exit code {done.returncode} and without an answer",
            where=where,
            details=shortened(done.tail()),
            hint="it was killed, perhaps for want of memory: give the engine more" if killed else None,
        )
    return read_answer(answer, where)


def read_answer(answer: Path, where: str) -> Result:
    """Return what a container left, which the build in it may have changed.

    :raises ToolError: it is no answer.
    """
    fail = failing(ToolError, f"{where}: the container's answer")
    if not stat.S_ISREG(answer.lstat().st_mode):
        raise fail("", "is no file")
    try:
        data = bytes_of(answer, _LONGEST_ANSWER)
    except ValueError as e:
        raise fail("", str(e)) from e
    return Result.read(from_json(data, fail))


def _not_started(engine: str, target: Target, where: str, done: Completed) -> ToolError:
    """Return the error of a container whose Python never ran."""
    platform = target.platform
    details = shortened(done.tail(8))
    if _CANNOT_RUN.search(done.stdout):
        return ToolError(
            f"{engine} cannot run programs of {platform.oci}: no emulator (QEMU) for them is registered with "
            "the kernel (binfmt_misc) of the machine that it runs on",
            where=where,
            details=details,
            hint="install one there: apt-get install qemu-user-static binfmt-support",
        )
    if _NO_LOADER.search(done.stdout):
        return ToolError(
            f"{engine} cannot run programs of {platform.oci}: the emulator (QEMU) that is registered with "
            "the kernel is outside the container (binfmt_misc without the flag F)",
            where=where,
            details=details,
            hint=f"install the static one: apt-get install qemu-user-static, and look for F in "
            f"/proc/sys/fs/binfmt_misc/qemu-{platform.qemu}",
        )
    return ToolError(
        f"{engine} cannot start the container (exit code {done.returncode})", where=where, details=details
    )


def _input_tar(inputs: Inputs) -> bytes:
    """Return what the container needs as a tar: code, libraries, sdist, wheels of the requirements."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in _input_files(inputs):
            info = tarfile.TarInfo(f"in/{name}")
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _input_files(inputs: Inputs) -> Iterator[tuple[str, bytes]]:
    yield f"sdist/{inputs.sdist.name}", inputs.sdist.read_bytes()
    for wheel in inputs.requirements:
        yield f"requirements/{wheel.name}", wheel.read_bytes()
    yield "target.json", inputs.target_file.read_bytes()
    yield "settings.json", inputs.settings_file.read_bytes()
    core = Path(ociwheel.__file__).absolute().parent
    yield from _package("core/ociwheel", core)
    for name in _LIBRARIES:
        yield from _package(f"lib/{name}", Path(str(resources.files(name))))


def _package(name: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith("_test.py"):
            yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()
