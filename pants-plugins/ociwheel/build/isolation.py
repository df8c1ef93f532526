"""Runs a hook of a build backend where it sees what is locked and nothing else, or as near to that as can be.

Best is a root of its own (:mod:`ociwheel.build.root`). Where the machine gives none, the hook runs without a
network if that can be had, and whoever asked is told. Its time, its memory, and what is kept of its output
are bounded either way, and what it leaves running ends.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import ociwheel
from ociwheel.build import no_network
from ociwheel.build.inside import ANSWER, Answer, Request
from ociwheel.build.resource_limits import BuildLimits, Ended, run_limited
from ociwheel.build.root import (
    INSIDE,
    Content,
    Refused,
    command,
    has_bubblewrap,
    host_platform,
    make_root,
    prepare,
)
from ociwheel.build.sdist_settings import Settings
from ociwheel.errors import BuildError, ToolError
from ociwheel.formats.limits import VARIABLE as ARCHIVE_LIMITS
from ociwheel.notes import tell
from ociwheel.reading import failing, from_json
from ociwheel.remedies import Remedy

AUTO, REQUIRED = MODES = ("auto", "required")
_LIBRARIES = ("installer", "packaging", "pyproject_hooks")
_ANSWER_BYTES = 16 << 20
# Runs in a process of its own. The backend gives each step what it imports, and reads this import too.
_MAIN = """\
import sys
sys.path[:0] = sys.argv[2:]
from ociwheel.build.inside import main
main(sys.argv[1])
"""
_KEPT_VARIABLES = ("OCIWHEEL_INTERPRETER", ARCHIVE_LIMITS)


@dataclass(frozen=True)
class Isolation:
    """How builds are kept apart from the machine."""

    mode: str = AUTO
    """``required``: a build that cannot have a root of its own is an error."""
    limits: BuildLimits = field(default_factory=BuildLimits)


@dataclass(frozen=True)
class Job:
    """One hook and the content that it may see; all paths are absolute."""

    where: str
    """What is built, for messages."""
    sdist: Path
    requirements: tuple[Path, ...]
    minor: tuple[int, int]
    settings: Settings
    tools: Path | None = None
    """What the ``build-programs`` step made; without it, programs are those of this machine."""
    cross: Mapping[str, Path] = field(default_factory=dict)
    """See :class:`ociwheel.build.inside.Request`."""
    asks: bool = False
    """Only what the build requires is asked for."""


@dataclass(frozen=True)
class Done:
    """What came of a hook."""

    answer: Answer
    lines: tuple[str, ...]
    """What it said."""
    places: tuple[str, ...]
    """Folders of the build as it knew them."""
    output: Path
    """The folder of the wheel."""
    isolation: str
    """``root``, ``network`` or ``none``: what of the machine it was kept from."""


def run_hook(job: Job, isolation: Isolation, work: Path) -> Done:
    """Run a hook within limits.

    :param work: an empty folder, absolute.
    :raises BuildError: a limit was met, or the hook's process ended without an answer.
    :raises ToolError: ``required`` isolation cannot be had here.
    """
    folders = {name: work / name for name in ("build", "out", "tmp", "root")}
    for folder in folders.values():
        folder.mkdir()
    rooted = _rooted(job, isolation, folders, work)
    if isinstance(rooted, Refused):
        if isolation.mode == REQUIRED:
            raise ToolError(
                f"this machine gives builds no root of their own ({rooted.why}), and isolation is required",
                where=job.where,
                hint=rooted.remedy,
            )
        return _run_beside(job, isolation, folders, work, rooted)
    words, request, places = rooted
    request.write(work / "request.json")
    python = [str(INSIDE / "python/usr/bin/python3"), "-I", "-S", "-B", "-X", "utf8", "-c", _MAIN]
    paths = [str(INSIDE / "request.json"), str(INSIDE / "core"), str(INSIDE / "lib")]
    env = {"OCIWHEEL_INTERPRETER": str(INSIDE / "python"), "PATH": "/usr/bin", "LC_ALL": "C.UTF-8"}
    env["TMPDIR"] = str(INSIDE / "work")  # /tmp is the backend's
    env |= {name: os.environ[name] for name in (ARCHIVE_LIMITS,) if name in os.environ}
    ended = run_limited([*words, *python, *paths], env=env, limits=isolation.limits)
    found = _answer(job, isolation.limits, ended, folders["out"])
    return Done(found, ended.lines, places, folders["out"], "root")


def _rooted(
    job: Job, isolation: Isolation, folders: Mapping[str, Path], work: Path
) -> tuple[tuple[str, ...], Request, tuple[str, ...]] | Refused:
    """Return the words before a command in a root of its own, the request in its words, and its folders."""
    interpreter, row = os.environ.get("OCIWHEEL_INTERPRETER"), host_platform()
    if sys.platform != "linux" or row is None:
        return Refused("namespaces are Linux's", Remedy.text("build on Linux"))
    if not interpreter:
        return Refused(
            "its Python is this machine's and no content",
            Remedy.text("use a base whose lock has an interpreter"),
        )
    if job.tools is None or not has_bubblewrap(job.tools):
        return Refused("the lock of the base has no bubblewrap", Remedy("relock-base"))
    cross = dict(job.cross)
    sysroot = cross.get("sysroot")
    trees = {
        "core/ociwheel": Path(ociwheel.__file__).absolute().parent,
        **{f"lib/{name}": Path(str(resources.files(name))) for name in _LIBRARIES},
        "python": Path(interpreter).absolute(),
        "request.json": work / "request.json",
        f"sdist/{job.sdist.name}": job.sdist,
        **{f"requirements/{wheel.name}": wheel for wheel in job.requirements},
        **cross,
    }
    content = Content(job.tools, trees, sysroot)
    (work / "request.json").touch()
    make_root(content, row, folders["root"])
    places = {"work": folders["build"], "output": folders["out"], "temporary": folders["tmp"]}
    words = prepare(command(content, folders["root"], **places))
    if isinstance(words, Refused):
        return words
    request = _request(job, isolation, folders)
    request = replace(
        request,
        sdist=str(INSIDE / "sdist" / job.sdist.name),
        requirements=tuple(str(INSIDE / "requirements" / w.name) for w in job.requirements),
        work=str(INSIDE / "work"),
        output=str(INSIDE / "out"),
        namespace=True,
        tools=str(INSIDE / "tools"),
        cross={name: str(INSIDE / name) for name in cross},
    )
    inside = ("work", "out", "python", "tools", *(name for name in cross if name != "target"))
    return words, request, (*(str(INSIDE / name) for name in inside), str(INSIDE))


def _request(job: Job, isolation: Isolation, folders: Mapping[str, Path]) -> Request:
    """Return the request in the words of this machine."""
    return Request(
        sdist=str(job.sdist),
        requirements=tuple(map(str, job.requirements)),
        work=str(folders["build"]),
        output=str(folders["out"]),
        minor=job.minor,
        memory=isolation.limits.memory_bytes,
        namespace=False,
        settings=job.settings,
        tools=str(job.tools) if job.tools else None,
        cross={name: str(path) for name, path in job.cross.items()},
        asks=job.asks,
    )


def _run_beside(
    job: Job, isolation: Isolation, folders: Mapping[str, Path], work: Path, refused: Refused
) -> Done:
    """Run the hook among the machine's files, and say so."""
    request = _request(job, isolation, folders)
    request.write(work / "request.json")
    flags = ["-I", "-S", "-B", "-X", "utf8"]
    python = [sys.executable, *flags, no_network.__file__, sys.executable, *flags, "-c", _MAIN]
    env = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    env |= {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TMPDIR": str(folders["tmp"])}
    ended = run_limited(
        [*python, str(work / "request.json"), *map(os.path.abspath, sys.path)],
        env=env,
        limits=isolation.limits,
    )
    network = [line for line in ended.lines if line.startswith(no_network.WARNING)]
    missing = "and it has the network" if network else "but without a network"
    tell(
        f"{job.where}: it is built with this machine's files in sight, {missing}: {refused.why}; "
        f"to change that, {refused.remedy.render()}"
    )
    places: list[str] = []
    for path in (folders["build"], work, *(p for name, p in job.cross.items() if name != "target")):
        places += [str(path), str(path.resolve())]
    if job.tools:
        places.append(str(job.tools))
    kind = "none" if network else "network"
    found = _answer(job, isolation.limits, ended, folders["out"])
    return Done(found, ended.lines, tuple(dict.fromkeys(places)), folders["out"], kind)


def _answer(job: Job, limits: BuildLimits, ended: Ended, output: Path) -> Answer:
    if ended.met:
        raise _limit_met(job, limits, ended)
    found = _read_answer(output)
    if found is None:
        killed = ended.returncode < 0 or ended.returncode > 128
        raise BuildError(
            f"its build ended with exit code {ended.returncode} and without an answer",
            where=job.where,
            details=_tail(ended),
            hint="it was killed, perhaps for want of memory: build it on a machine with more"
            if killed
            else None,
        )
    return found


def _limit_met(job: Job, limits: BuildLimits, ended: Ended) -> BuildError:
    what = {
        "time": f"its build took longer than {limits.seconds} seconds",
        "memory": f"its build took more than {limits.memory_bytes >> 20} MiB of memory",
    }[ended.met]
    return BuildError(
        f"{what}, and was ended",
        where=job.where,
        details=_tail(ended),
        hint=Remedy("raise-build-limit", {"limit": ended.met}),
    )


def _tail(ended: Ended) -> list[str]:
    return ["end of the build's output:", *(line[:400] for line in ended.lines[-30:])]


def _read_answer(folder: Path) -> Answer | None:
    """Read what a hook's process left; it may be anything, and no file at all.

    :raises BuildError: it is no answer.
    """
    data = read_plain(folder / ANSWER, _ANSWER_BYTES)
    return None if data is None else Answer.read(from_json(data, failing(BuildError, "the build's answer")))


def read_plain(path: Path, most: int) -> bytes | None:
    """Return the content of a file that somebody else may have made, ``None`` where there is no plain file.

    A link, a pipe or a device is no plain file: it could lead elsewhere, or never end.

    :param most: bytes to take at most.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)
