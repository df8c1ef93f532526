"""Builds one package for one platform, doing what messages say, and runs what came out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.table.bases import Bases
from bench.table.following import Choice, follow
from bench.table.listing import Distribution, Package
from bench.table.settling import Ways, settle
from bench.table.steps import StepFailedError
from bench.table.workshop import Workshop, isolated, say
from ociwheel.build.build_lock import BuildLock, render
from ociwheel.build.pins import Place, SdistKey, wheels_of
from ociwheel.documents import read_value, write_whole
from ociwheel.errors import LockError, OciwheelError
from ociwheel.reading import Value, failing
from ociwheel.sdist.unpack import build_system, unpack
from ociwheel.target import Target

_SITE = "app/lib/python{minor}/site-packages"
_MOST_ROUNDS = 8


@dataclass(frozen=True)
class Round:
    """One message that told what to add."""

    platform: str
    says: str
    """Its first line, without the place."""
    adds: str
    """What was added."""

    def to_json(self) -> dict[str, str]:
        """Return it as an object."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Result:
    """One cell of the table."""

    platform: str
    ok: bool
    seconds: float
    """Wall time of the last build step."""
    reason: str = ""
    """Why not; the step's message, whole."""
    causes: Sequence[str] = ()
    """What the errors in that one say, each in a line."""
    filename: str = ""
    sha256: str = ""
    elf: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Its ELF files, each with the shared libraries that it names, sorted."""

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Result:
        """Read a result of an earlier run."""
        return Result(**value)


class _BuildFailedError(Exception):
    """A step ended with a message, which the argument is; ``document`` has it for programs."""

    def __init__(self, message: str, document: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.document = document


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


@dataclass
class Attempt:
    """Builds a package for a platform again and again, until it is built or a message adds nothing."""

    common: Workshop
    """Without a base."""
    bases: Bases
    package: Package
    sdist: Distribution
    platform: str
    choice: Choice
    """What is known to be needed so far."""
    rounds: list[Round] = field(default_factory=list)
    built: dict[tuple[str, ...], tuple[dict[str, Any], float]] = field(default_factory=dict)
    """Answers and seconds of build steps by what they got: what an image lacks builds no wheel again."""

    def run(self) -> Result:
        """Return the last round's result; :attr:`choice` and :attr:`rounds` tell the way to it."""
        while True:
            start = time.monotonic()
            try:
                return self._once()
            except _BuildFailedError as e:
                seconds = round(time.monotonic() - start, 1)
                said = follow(e.document, self.choice)
                if said == self.choice or len(self.rounds) == _MOST_ROUNDS:
                    causes = [str(inner["what"]) for inner in e.document.get("errors") or ()]
                    return Result(self.platform, False, seconds, str(e), causes)
                added = _difference(self.choice, said)
                what = str(e.document["what"]).rstrip(":")
                say(f"{self.sdist.key} for {self.platform}: {what} -> {added}")
                self.rounds.append(Round(self.platform, what, added))
                self.choice = said

    def _once(self) -> Result:
        try:
            workshop = self.common.of_base(self.bases.lock(self.package.name, self.choice))
            result = _Once(workshop, self).run()
        except OciwheelError as e:
            raise _BuildFailedError(str(e), e.to_json()) from e
        except StepFailedError as e:
            raise _BuildFailedError(str(e), e.document) from e
        if self.choice.builder_packages:  # some 200 MB that no other distribution is compiled against
            shutil.rmtree(workshop.sysroot(self.platform, self.package.name))
        return result


def _difference(before: Choice, after: Choice) -> str:
    old, new = before.to_json(), after.to_json()
    added = []
    for name, value in new.items():
        if value != old[name]:
            values = [one for one in value if one not in old[name]] if isinstance(value, tuple) else [value]
            added.append(f"{name}: {', '.join(values)}")
    return "; ".join(added)


@dataclass(frozen=True)
class _Once:
    """One round, with the base as it was locked for it."""

    workshop: Workshop
    attempt: Attempt

    @property
    def _folder(self) -> Path:
        return self.workshop.work / "builds" / self.attempt.platform / self.attempt.sdist.key

    def run(self) -> Result:
        folder = self._folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fields, seconds = self._build()
        layer = self._layer()
        self._audit(layer)
        said = self._smoke(layer)
        shutil.rmtree(folder)
        return Result(
            self.attempt.platform,
            not said,
            seconds,
            said and f"built, but does not run:\n{said}",
            filename=fields["filename"],
            sha256=fields["sha256"],
            elf={fact["path"]: sorted(fact["needed"]) for fact in fields["elf"]},
        )

    def _build(self) -> tuple[dict[str, Any], float]:
        """Return the build step's answer and seconds, with the wheel among those of the platform."""
        attempt, folder = self.attempt, self._folder
        arguments = [*self._hook_arguments(), "--output", "out", *self._requirements()]
        wanted = sorted(path.name for path in (folder / "requirements").iterdir())
        key = (*map(str, arguments), *wanted, (folder / "settings.json").read_text())
        if key not in attempt.built:
            start = time.monotonic()
            fields = self._step("build", *arguments)
            attempt.built[key] = fields, round(time.monotonic() - start, 1)
            wheels = self.workshop.work / "wheels" / attempt.platform / attempt.sdist.key
            shutil.rmtree(wheels, ignore_errors=True)
            wheels.mkdir(parents=True)
            shutil.move(folder / "out" / fields["filename"], wheels)
        return attempt.built[key]

    def _step(self, step: str, *arguments: object) -> dict[str, Any]:
        return self.workshop.steps.step(
            step, *arguments, cwd=self._folder, interpreter=self.workshop.interpreter
        )

    def _rust(self) -> bool:
        return bool({"cargo", "cargo-web"} & set(self.attempt.choice.builder_packages))

    def _hook_arguments(self, lock: BuildLock | None = None) -> list[object]:
        workshop, attempt = self.workshop, self.attempt
        settings = {
            **attempt.package.settings,
            "name": attempt.sdist.name,
            "version": attempt.sdist.version,
            "compiler": attempt.choice.compiler,
        }
        if attempt.choice.setup_args:
            settings["config_settings"] |= {"setup-args": list(attempt.choice.setup_args)}
        (self._folder / "settings.json").write_text(json.dumps(settings))
        rust, gcc = self._rust(), attempt.choice.compiler == "gcc"
        lock = self._build_lock() if lock is None else lock
        return [
            *("--sdist", workshop.fetch(attempt.sdist), "--target", workshop.target(attempt.platform)),
            *("--sysroot", workshop.sysroot(attempt.platform, attempt.package.name), "--zig", workshop.zig),
            *("--settings", "settings.json", "--tools", workshop.tools(rust=rust)),
            *(("--host-sysroot", workshop.host_sysroot) if rust else ()),
            *(("--gcc", workshop.gcc(attempt.platform)) if gcc else ()),
            *self._crates(lock),
        ]

    def _crates(self, lock: BuildLock) -> list[object]:
        """Fetch the locked crates of an sdist in Rust, and return the argument that names them.

        As the backend does, only for a base that has cargo: without it, the build ends in a message anyway.
        """
        rows = [row for row in lock.environments if row.sha256 == self.attempt.sdist.sha256 and row.crates]
        if not rows or not self._rust():
            return []
        crates = [(*name.split(" ", 1), lock.crates[name]) for name in rows[0].crates]
        request = {"crates": [{"name": n, "version": v, "sha256": sha256} for n, v, sha256 in crates]}
        (self._folder / "crates.json").write_text(json.dumps(request))
        place = self.workshop.work / "crates" / self.attempt.sdist.key
        if not place.is_dir():
            arguments = ("--request", "crates.json", "--tools", self.workshop.tools(rust=True))
            self._step("fetch-crates", *arguments, "--output", place)
        return ["--crates", place]

    def _build_lock(self) -> BuildLock:
        """Return the lock of what the build requires; where the backend cannot say, one for each group."""
        choice, sdist = self.attempt.choice, self.attempt.sdist
        folder = self.workshop.work / "locks" / sdist.key
        said, partial = folder / "whole.lock", folder / f"{'+'.join(choice.builder_packages) or 'none'}.lock"
        path = next((path for path in (said, partial) if path.exists()), None)
        if path is None:
            say(f"{sdist.key}: locking what its build requires")
            document, failed = self._locked()
            path = partial if failed else said
            row = Value(document, "", failing(LockError, sdist.key))
            folder.mkdir(parents=True, exist_ok=True)
            lock = BuildLock().renewed(BuildLock.read_rows(row), [self.workshop.minor], None, set())
            path.write_bytes(render(lock))
        return BuildLock.read(read_value(path, LockError))

    def _locked(self) -> tuple[dict[str, Any], bool]:
        workshop, sdist = self.workshop, self.attempt.sdist

        def ask(wheels: Path) -> dict[str, Any]:
            arguments = self._hook_arguments(BuildLock())
            return self._step("build-requires", *arguments, "--requirements", wheels)

        def resolve(question: Mapping[str, Any]) -> dict[str, Any]:
            # The newest setuptools is the same for all that ask for it.
            asked = json.dumps([question["required"], question["constraints"]])
            known = workshop.work / "resolved" / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"
            if not known.exists():
                (self._folder / "request.json").write_text(json.dumps(question))
                target = workshop.target(workshop.host)
                found = self._step("build-resolve", "--request", "request.json", "--target", target)
                known.parent.mkdir(exist_ok=True)
                write_whole(known, json.dumps(found).encode())
            value: dict[str, Any] = json.loads(known.read_text())
            return value

        ways = Ways(ask, resolve, workshop.fetch)
        wheels, constraints = self._folder / "wheels", self.attempt.package.constraints
        document, said = settle(sdist, workshop.minor, ways, wheels, constraints)
        if said["failed"] is not None:
            say(f"{sdist.key}: its backend cannot say what it requires: {said['failed']}")
        return document, said["failed"] is not None

    def _requirements(self) -> list[object]:
        """Lay out the locked build requirements, those for this machine."""
        workshop, sdist = self.workshop, self.attempt.sdist
        key = SdistKey(sdist.name, sdist.version, sdist.sha256)
        place = Place(Target.read(workshop.target(workshop.host)))
        folder = self._folder / "requirements"
        folder.mkdir()
        for one in wheels_of(self._build_lock(), key, place, "the build lock"):
            wheel = workshop.fetch(Distribution(one["name"], one["version"], one["filename"], one["sha256"]))
            (folder / wheel.name).symlink_to(wheel)
        return ["--requirements", folder]

    def _layer(self) -> Path:
        """Install the wheel and what it needs into a layer."""
        workshop, attempt = self.workshop, self.attempt
        folder = self._folder / "installed"
        folder.mkdir()
        locked = workshop.distributions()
        for wheel in (attempt.sdist, *(locked[name] for name in attempt.package.needs)):
            if wheel.filename.endswith(".whl"):
                file = workshop.fetch(wheel)
            else:
                made = list((workshop.work / "wheels" / attempt.platform / wheel.key).glob("*.whl"))
                if not made:
                    raise StepFailedError(f"{wheel.key}, which it needs, was not built")
                file = made[0]
            (folder / file.name).symlink_to(file)
        target = workshop.target(attempt.platform)
        arguments = ("--wheels", folder, "--title", "wheels", "--target", target, "--bytecode", "none")
        self._step("wheel-layer", *arguments, "--output", "layer")
        return self._folder / "layer"

    def _audit(self, layer: Path) -> None:
        """Look whether what was built finds its libraries in an image of the base."""
        workshop, platform = self.workshop, self.attempt.platform
        layers = [*workshop.layers(platform), layer]
        keys = [k for one in workshop.debian["platforms"][platform]["layers"] for k in one["packages"]]
        request = {
            "platform": platform,
            "facts": [str(one / "layer-facts.json") for one in layers],
            "lock_packages": [workshop.debian["packages"][key]["name"] for key in keys],
            "libc": "glibc",
        }
        (self._folder / "audit.json").write_text(json.dumps(request))
        self._step("audit", "--request", "audit.json")

    def _smoke(self, layer: Path) -> str:
        """Run the package's test with the base's Python in the image's file system; return what went wrong.

        Needs root for ``chroot``; another machine's programs run in QEMU.
        """
        workshop, platform = self.workshop, self.attempt.platform
        with tempfile.TemporaryDirectory(dir=workshop.work, prefix=".root-") as place:
            root = Path(place) / "root"
            workshop.lay_out(platform, root)
            workshop.extract(layer, root)
            emulator = [] if platform == workshop.host else ["/qemu"]
            python = [*emulator, f"/usr/bin/python{workshop.minor}"]
            site = _SITE.format(minor=workshop.minor)
            code = f"import sys; sys.path.insert(0, '/{site}')\n{self.attempt.package.smoke}\nprint('fine')"
            done = subprocess.run(
                [*isolated(root), *python, "-I", "-S", "-B", "-X", "utf8", "-c", code],
                env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin"},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=600,
                check=False,
            )
        fine = done.returncode == 0 and done.stdout.strip().endswith("fine")
        return "" if fine else (done.stderr or done.stdout or f"exit status {done.returncode}").strip()
