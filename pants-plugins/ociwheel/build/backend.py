"""Runs the hooks of a build backend (PEP 517) in an environment of pinned wheels."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile
from pyproject_hooks import (
    BackendInvalid,
    BackendUnavailable,
    BuildBackendHookCaller,
    HookMissing,
    UnsupportedOperation,
)

from ociwheel.base.venv import write_venv
from ociwheel.build.resource_limits import BuildLimits, run_limited
from ociwheel.errors import BuildError
from ociwheel.sdist.unpack import BuildSystem

SOURCE_DATE_EPOCH = 315532800
"""1980-01-01, the first time that a zip archive can hold."""
# Nothing listens there. A second belt: where the kernel gives no network namespace, clients that
# honour proxies fail at once and name the reason.
# CMake tries six times, with 85 s of pauses, where a host or a proxy has no address or refuses a connection,
# and once where the proxy's own address has no meaning, as that of a port that cannot be.
_NO_PROXY_HERE = "http://builds-have-no-network.invalid:99999"

T = TypeVar("T")


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds the build requirements."""

    python: Path
    site_packages: Path
    work: Path

    @property
    def scripts(self) -> Path:
        """The folder of the environment's programs."""
        return self.python.parent


class HookError(Exception):
    """A hook that ended with an error."""

    def __init__(self, hook: str, output: Sequence[str]) -> None:
        super().__init__(hook)
        self.hook = hook
        self.output = tuple(output)


def make_environment(work: Path, wheels: Sequence[Path], minor: tuple[int, int]) -> Environment:
    """Make a virtual environment on the running interpreter and install wheels into it.

    :param minor: the target's Python, which the running one must be.
    :raises BuildError: it is another one.
    """
    if sys.version_info[:2] != minor:
        running, wanted = f"{sys.version_info[0]}.{sys.version_info[1]}", f"{minor[0]}.{minor[1]}"
        raise BuildError(
            f"a wheel for Python {wanted} cannot be built by Python {running}",
            hint=f"run this step under CPython {wanted} (OCIWHEEL_INTERPRETER)",
        )
    folder = work / "venv"
    content = os.environ.get("OCIWHEEL_INTERPRETER")
    if content:
        python = write_venv(Path(content), folder)
    else:
        venv.EnvBuilder(symlinks=True).create(folder)
        python = folder / "bin/python"
    site_packages = folder / f"lib/python{minor[0]}.{minor[1]}/site-packages"
    for wheel in sorted(wheels):
        _install(wheel, folder, site_packages, python)
    return Environment(python, site_packages, work)


def _install(wheel: Path, folder: Path, site_packages: Path, python: Path) -> None:
    paths = {
        "purelib": site_packages,
        "platlib": site_packages,
        "headers": folder / "include",
        "scripts": folder / "bin",
        "data": folder,
    }
    destination = SchemeDictionaryDestination(
        {k: str(v) for k, v in paths.items()}, interpreter=str(python), script_kind="posix"
    )
    try:
        with WheelFile.open(wheel) as source:
            install(source, destination, additional_metadata={})
    except FileExistsError as e:
        raise BuildError(f"two build requirements ship {e.filename or e}", where=wheel.name) from e


def base_environment(environment: Environment, programs: Sequence[Path] = ()) -> dict[str, str]:
    """Return the variables that every hook gets.

    :param programs: folders of programs to find before the system's.
    """
    home, temporary = environment.work / "home", environment.work / "tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    path = [str(environment.scripts), *map(str, programs), "/usr/bin", "/bin"]
    return {
        "PATH": ":".join(path),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "VIRTUAL_ENV": str(environment.scripts.parent),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "CARGO_NET_OFFLINE": "true",
        **{f"{scheme}_proxy": _NO_PROXY_HERE for scheme in ("http", "https", "all", "ftp")},
    }


@dataclass(frozen=True)
class Backend:
    """The backend of one unpacked sdist."""

    source: Path
    system: BuildSystem
    environment: Environment
    variables: Mapping[str, str]
    echo: bool = False
    """What hooks say goes where this process says it, and not to the log."""
    log: list[str] = field(default_factory=list)

    def build_wheel(self, output: Path, config_settings: Mapping[str, object]) -> Path:
        """Build the wheel into ``output``.

        :raises HookError: the backend failed.
        """
        output.mkdir(parents=True, exist_ok=True)
        caller, settings = self._caller(), dict(config_settings)
        name: object = self._guard("build_wheel", lambda: caller.build_wheel(str(output), settings))
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".whl"):
            raise HookError(
                "build_wheel", [*self.log, f"build_wheel gave {name!r}, which is no wheel's name"]
            )
        return output / name

    def requirements(self, config_settings: Mapping[str, object]) -> list[str]:
        """Return the dynamic requirements of a wheel build.

        :raises HookError: the backend failed.
        """
        caller, settings = self._caller(), dict(config_settings)
        hook = "get_requires_for_build_wheel"
        found: object = self._guard(hook, lambda: caller.get_requires_for_build_wheel(settings))
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise HookError(hook, [*self.log, f"{hook} gave {found!r}, which is no list of requirements"])
        return found

    def _caller(self) -> BuildBackendHookCaller:
        return BuildBackendHookCaller(
            str(self.source),
            self.system.backend,
            list(self.system.backend_path) or None,
            runner=self._run,
            python_executable=str(self.environment.python),
        )

    def _guard(self, hook: str, call: Callable[[], T]) -> T:
        """Call a hook; what it warns of goes to the log, as all else that it prints."""
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = call()
        except BackendUnavailable as e:
            raise HookError(hook, [*self.log, *str(e.traceback).splitlines()]) from e
        except (BackendInvalid, HookMissing, UnsupportedOperation) as e:
            raise HookError(hook, [*self.log, str(e)]) from e
        except (OSError, ValueError, KeyError) as e:  # it has removed, or written over, what it answers with
            raise HookError(hook, [*self.log, f"{hook} left no answer: {e}"]) from e
        self.log.extend(line for warning in caught for line in str(warning.message).splitlines())
        return result

    def _run(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        env = {**self.variables, **(extra_environ or {})}
        if self.echo:
            sys.stdout.flush()
            returncode = subprocess.run(
                list(cmd), env=env, cwd=cwd, stdin=subprocess.DEVNULL, check=False
            ).returncode
        else:
            done = run_limited(cmd, env=env, cwd=Path(cwd) if cwd else None, limits=BuildLimits())
            returncode = done.returncode
            self.log.extend(done.lines)
        if returncode != 0:
            raise HookError("a hook", self.log)
