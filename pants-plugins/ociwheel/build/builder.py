"""One build from start to end: unpack, prepare and compile in a root of its own, then check and pack."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.build.checks import BuiltWheel
from ociwheel.build.diagnose import LOCKED, MACHINE, Context, diagnose
from ociwheel.build.finish import finish
from ociwheel.build.isolation import Isolation, Job, run_hook
from ociwheel.build.offered_settings import Offered
from ociwheel.build.sdist_settings import Settings
from ociwheel.build.wrappers import Toolchain
from ociwheel.documents import read_error
from ociwheel.errors import BuildError
from ociwheel.reading import Value, failing


class CxxNeededError(Exception):
    """The build compiles C++: it has to start anew with a runtime of zig's that holds libc++."""


@dataclass(frozen=True)
class Inputs:
    """The content that a build depends on; all paths are absolute."""

    sdist: Path
    requirements: tuple[Path, ...]
    target: Path
    """The target document."""
    toolchain: Toolchain
    tools: Path | None = None
    """Programs for builds, what the ``build-programs`` step made; without it, those of this machine."""
    host_sysroot: Path | None = None
    """Headers and libraries of this machine: cargo compiles programs that it runs."""
    gcc: Path | None = None
    """What the ``gcc`` step made, for a build whose compiler it is."""
    crates: Path | None = None
    """The locked crates, what the ``fetch-crates`` step made."""
    isolation: Isolation = field(default_factory=Isolation)

    def cross(self) -> dict[str, Path]:
        """Return what a build for another machine needs, by the names of the request."""
        found = {
            "target": self.target,
            "zig": self.toolchain.zig,
            "sysroot": self.toolchain.sysroot,
            "zig_runtime": self.toolchain.zig_runtime,
            "host_sysroot": self.host_sysroot,
            "crates": self.crates,
            "gcc": self.gcc,
        }
        return {name: path for name, path in found.items() if path is not None}


@dataclass(frozen=True)
class Built:
    """A wheel, and how its build was kept apart."""

    wheel: BuiltWheel
    isolation: str


def job_of(inputs: Inputs, settings: Settings, *, asks: bool = False) -> Job:
    """Return the hook of a build, or with ``asks`` the one that says what it requires."""
    target = inputs.toolchain.target
    where = f"{settings.name} {settings.version} for {target.platform.oci}, Python {target.python_minor}"
    return Job(
        where=where,
        sdist=inputs.sdist,
        requirements=inputs.requirements,
        minor=target.python,
        settings=settings,
        tools=inputs.tools,
        cross=inputs.cross(),
        asks=asks,
    )


def build(inputs: Inputs, settings: Settings, work: Path, output: Path) -> Built:
    """Build one wheel.

    :param work: an empty folder, absolute.
    :param output: the folder that gets the wheel.
    :raises BuildError: it does not build, or builds less than it should.
    :raises CxxNeededError: it holds C++, and its runtime is one of zig's without libc++.
    """
    target, job = inputs.toolchain.target, job_of(inputs, settings)
    where = job.where
    done = run_hook(job, inputs.isolation, work)
    answer = done.answer
    if answer.error:
        raise read_error(Value(answer.error, "error", failing(BuildError, where)), BuildError)
    if answer.needs_cxx:
        raise CxxNeededError
    if answer.failed_hook or answer.wheel is None:
        programs = LOCKED if done.isolation == "root" else MACHINE
        offers = Offered(answer.options, answer.variables)
        context = Context(where, settings.resolve, settings.base, target, programs, answer.lacks, offers)
        raise diagnose(done.lines, context)
    made = done.output / answer.wheel
    if made.is_symlink() or not made.is_file():
        raise BuildError(f"the backend left no file {answer.wheel}", where=where)
    wheel = finish(
        made,
        output,
        settings=settings,
        where=where,
        target=target,
        sources=answer.sources,
        compiled=answer.compiled,
        forbidden=sorted(done.places),
        lines=done.lines,
        sysroot=inputs.toolchain.sysroot,
    )
    return Built(wheel, done.isolation)
