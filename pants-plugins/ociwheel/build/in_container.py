"""The part of an emulated build that runs inside the container, under the target's own Python.

It finds its inputs in ``/build/in`` and leaves a wheel and ``result.json`` in ``/build/out``. The folder is
always the same, so that no path of a machine gets into what is compiled.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ociwheel.build.backend import Backend, HookError, base_environment, make_environment
from ociwheel.build.diagnose import Context, check_requirements
from ociwheel.build.sdist_settings import Settings
from ociwheel.errors import BuildError, OciwheelError
from ociwheel.reading import Value
from ociwheel.sdist.unpack import build_system, native_sources, unpack
from ociwheel.target import Target

ROOT = Path("/build")
STARTED = "ociwheel: the container runs"
# The last -g wins, and so does the last map; symbols are of no use in an image.
_WRAPPER = """\
#!/bin/sh
strip=
for word; do
    case $word in
        -c) echo x >>{log} ;;
        -shared) strip=-s ;;
    esac
done
exec /usr/bin/{program} "$@" -g0 $strip -ffile-prefix-map={work}=/build
"""
_COMPILERS = {"gcc": ("cc", "gcc"), "g++": ("c++", "g++")}


_WHEEL = re.compile(r"[^/\\\0]{1,251}\.whl")


@dataclass(frozen=True)
class Result:
    """What the container answers."""

    wheel: str | None = None
    lines: tuple[str, ...] = ()
    """What the backend printed."""
    compiled: int = 0
    """How many times a compiler was called."""
    sources: tuple[str, ...] = ()
    failed_hook: bool = False
    error: dict[str, Any] = field(default_factory=dict)
    """An error that needs no further reading, as a document without its schema."""

    @staticmethod
    def read(value: Value) -> Result:
        """Return what :func:`main` wrote, or what the build wrote in its place."""
        error = value.maybe("error")
        return Result(
            wheel=value.optional("wheel", lambda name: name.matching(_WHEEL, "the name of a wheel")),
            lines=value.at("lines").texts(),
            compiled=value.at("compiled").integer(),
            sources=value.at("sources").texts(),
            failed_hook=value.at("failed_hook").boolean(),
            error=error.raw if error and error.members() else {},
        )


def run(root: Path) -> Result:
    """Build the sdist that lies in ``root/in``.

    :raises OciwheelError: it cannot even be started.
    """
    inputs, work = root / "in", root / "work"
    settings = Settings.read(inputs / "settings.json")
    target = Target.read(inputs / "target.json")
    where = f"{settings.name} {settings.version} for {target.platform.oci}, Python {target.python_minor}"
    (sdist,) = (inputs / "sdist").iterdir()
    source = unpack(sdist, work / "src")
    system = build_system(source)
    if system.cargo:
        raise BuildError(
            "it is written in Rust, and the container of emulated builds has no cargo",
            where=where,
            hint="choose a version that has a wheel for this platform, or leave it out",
        )
    environment = make_environment(work, sorted((inputs / "requirements").glob("*.whl")), target.python)
    check_requirements(
        system, environment.site_packages, Context(where, settings.resolve, settings.base, target)
    )
    log = _write_compilers(work, target.platform.triplet)
    variables = {
        **base_environment(environment, [work / "bin"]),
        # Where the kernel is that of a larger machine, uname names that one.
        "_PYTHON_HOST_PLATFORM": f"linux-{target.platform.machine}",
        "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1),
        **settings.env,
    }
    backend = Backend(source, system, environment, variables)
    try:
        made = backend.build_wheel(root / "out", settings.config_settings)
    except HookError as e:
        return Result(lines=e.output, failed_hook=True)
    compiled = len(log.read_text(encoding="ascii").splitlines()) if log.exists() else 0
    return Result(made.name, tuple(backend.log), compiled, native_sources(source))


def _write_compilers(work: Path, triplet: str) -> Path:
    """Write a program for each name of a compiler, found before it, and return the log of calls."""
    folder, log = work / "bin", work / "compiled.log"
    folder.mkdir()
    for program, names in _COMPILERS.items():
        text = _WRAPPER.format(program=program, log=log, work=work)
        for name in (*names, f"{triplet}-{program}"):
            path = folder / name
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
    return log


def _end_with_the_step() -> None:
    """End this container when the step that started it is gone: its standard input then closes."""

    def watch() -> None:
        while os.read(0, 1 << 16):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Build, and leave the answer; what the backend prints is part of it."""
    sys.stdout.write(f"{STARTED}\n")
    sys.stdout.flush()
    _end_with_the_step()
    try:
        result = run(ROOT)
    except OciwheelError as e:
        result = Result(error=e.to_json())
    (ROOT / "out/result.json").write_text(json.dumps(asdict(result)), encoding="utf-8")
