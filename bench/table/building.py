"""Builds one package for one platform and runs what came out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.table.listing import Distribution, Package
from bench.table.workshop import Workshop
from ociwheel.build.build_lock import BuildLock
from ociwheel.build.pins import Place, SdistKey, wheels_of
from ociwheel.documents import read_value
from ociwheel.errors import LockError
from ociwheel.sdist.unpack import build_system, unpack
from ociwheel.target import Target

_SITE = "tmp/site"


@dataclass(frozen=True)
class Result:
    """One cell of the table."""

    platform: str
    ok: bool
    seconds: float
    """Wall time of the build step."""
    reason: str = ""
    """Why not; the step's message, whole."""
    filename: str = ""
    sha256: str = ""
    elf_files: int = 0
    needed: tuple[str, ...] = ()
    """Shared libraries that its extensions link to."""
    newest_wheel: str | None = None
    """Newest version that has a wheel for the platform."""

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Result:
        """Read a result of an earlier run."""
        return Result(**{**value, "needed": tuple(value["needed"])})


def backend_of(sdist: Path, work: Path) -> str:
    """Return the PEP 517 backend, with setuptools-rust named where it is used."""
    folder = work / f"inspect-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    system = build_system(unpack(sdist, folder))
    shutil.rmtree(folder)
    name = system.backend.partition(":")[0].partition(".")[0]
    aliases = {"mesonpy": "meson-python", "scikit_build_core": "scikit-build-core"}
    name = aliases.get(name, name)
    if name == "setuptools" and system.cargo:
        return "setuptools-rust"
    return name if system.backend_path == () else f"{name} (in the sdist)"


def requirements(workshop: Workshop, sdist: Distribution, folder: Path) -> Path:
    """Lay out the locked build requirements of an sdist, those for this machine.

    :raises LockError: they are not locked.
    """
    lock = BuildLock.read(read_value(workshop.build_lock, LockError))
    key = SdistKey(sdist.name, sdist.version, sdist.sha256)
    wheels = wheels_of(
        lock, key, Place(Target.read(workshop.target(workshop.host))), str(workshop.build_lock)
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for one in wheels:
        wheel = workshop.fetch(Distribution(one["name"], one["version"], one["filename"], one["sha256"]))
        (folder / wheel.name).symlink_to(wheel)
    return folder


def hook_arguments(
    workshop: Workshop, package: Package, sdist: Distribution, platform: str, folder: Path
) -> list[object]:
    """Return the arguments of a step that runs a hook of a package, without its requirements.

    :param folder: gets the settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {**package.settings, "name": sdist.name, "version": sdist.version}
    (folder / "settings.json").write_text(json.dumps(settings))
    rust = bool({"cargo", "cargo-web"} & set(package.builder))
    return [
        *("--sdist", workshop.fetch(sdist), "--target", workshop.target(platform)),
        *("--sysroot", workshop.sysroot(platform), "--zig", workshop.zig),
        *("--settings", "settings.json"),
        *("--tools", workshop.tools(rust=rust)),
        *(("--host-sysroot", workshop.host_sysroot) if rust else ()),
        *_crates(workshop, sdist, folder),
    ]


def _crates(workshop: Workshop, sdist: Distribution, folder: Path) -> list[object]:
    """Fetch the locked crates of an sdist in Rust, and return the argument that names them."""
    if not workshop.build_lock.exists():
        return []
    lock = BuildLock.read(read_value(workshop.build_lock, LockError))
    rows = [row for row in lock.environments if row.sha256 == sdist.sha256 and row.crates]
    if not rows:
        return []
    crates = [(*name.split(" ", 1), lock.crates[name]) for name in rows[0].crates]
    request = {"crates": [{"name": n, "version": v, "sha256": sha256} for n, v, sha256 in crates]}
    (folder / "crates.json").write_text(json.dumps(request))
    place = workshop.work / "crates" / sdist.key
    if not place.is_dir():
        workshop.steps.step(
            *("fetch-crates", "--request", "crates.json", "--tools", workshop.tools(rust=True)),
            *("--output", place),
            cwd=folder,
        )
    return ["--crates", place]


def build(workshop: Workshop, package: Package, sdist: Distribution, platform: str) -> Result:
    """Build a package and run its smoke test.

    The wheel stays in ``wheels/PLATFORM/`` for the packages that need it.
    """
    folder = workshop.work / "builds" / platform / sdist.key
    shutil.rmtree(folder, ignore_errors=True)
    arguments = hook_arguments(workshop, package, sdist, platform, folder)
    done = workshop.steps.try_step(
        "build",
        *arguments,
        *("--output", "out"),
        *("--requirements", requirements(workshop, sdist, folder / "requirements")),
        cwd=folder,
        interpreter=workshop.interpreter,
    )
    if not done.ok:
        return Result(platform, False, round(done.seconds, 1), done.error)
    fields = done.document
    wheels = workshop.work / "wheels" / platform / sdist.key
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(parents=True)
    shutil.move(folder / "out" / fields["filename"], wheels)
    needed = sorted({name for fact in fields["elf"] for name in fact["needed"]})
    result = Result(
        platform,
        True,
        round(done.seconds, 1),
        filename=fields["filename"],
        sha256=fields["sha256"],
        elf_files=len(fields["elf"]),
        needed=tuple(needed),
    )
    said = smoke(workshop, package, sdist, platform)
    return replace(result, ok=not said, reason=said and f"built, but does not run:\n{said}")


def _isolated(root: Path) -> list[str]:
    """Return the command that runs another in a file system of its own, with a ``/proc``."""
    (root / "proc").mkdir(exist_ok=True)
    return ["unshare", "--map-root-user", "--pid", "--fork", f"--root={root}", "--mount-proc"]


def smoke(workshop: Workshop, package: Package, sdist: Distribution, platform: str) -> str:
    """Run a package's test with the base's Python in the base's file system, and return what went wrong.

    Needs user namespaces for ``chroot``; another machine's programs run in QEMU.
    """
    root = workshop.root(platform)
    site = root / _SITE
    shutil.rmtree(site, ignore_errors=True)
    locked = workshop.distributions()
    for wheel in (sdist, *(locked[name] for name in package.needs)):
        if wheel.filename.endswith(".whl"):
            file = workshop.fetch(wheel)
        else:
            made = list((workshop.work / "wheels" / platform / wheel.key).glob("*.whl"))
            if not made:
                return f"{wheel.key}, which it needs, was not built"
            file = made[0]
        with zipfile.ZipFile(file) as archive:
            archive.extractall(site)
    emulator = [] if platform == workshop.host else ["/qemu"]
    python = [*emulator, f"/usr/bin/python{workshop.minor}"]
    code = f"import sys; sys.path.insert(0, '/{_SITE}')\n{package.smoke}\nprint('fine')"
    done = subprocess.run(
        [*_isolated(root), *python, "-I", "-S", "-B", "-X", "utf8", "-c", code],
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=600,
        check=False,
    )
    shutil.rmtree(site)
    fine = done.returncode == 0 and done.stdout.strip().endswith("fine")
    return "" if fine else (done.stderr or done.stdout or f"exit status {done.returncode}").strip()
