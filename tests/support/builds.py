"""Builds with the locked interpreter and programs of the example's base, and a stand-in for a compiler."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.table.listing import Distribution
from bench.table.settling import Ways, settle
from bench.table.workshop import Workshop
from tests.support.environments import ROOT

# A backend in the sdist itself, without requirements: what is between runs when the wheel is built.
_BACKEND = """
import base64, hashlib, json, os, sys, zipfile
def wheel(folder, report, name="{name}-1.0-py3-none-any.whl"):
    info = "{name}-1.0.dist-info"
    files = {{"{name}.json": json.dumps(report, sort_keys=True).encode(),
             info + "/METADATA": b"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n",
             info + "/WHEEL": b"Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}}
    hashes = {{k: base64.urlsafe_b64encode(hashlib.sha256(v).digest()).decode().rstrip("=") for k, v in files.items()}}
    rows = "".join(f"{{k}},sha256={{hashes[k]}},{{len(v)}}\\n" for k, v in files.items()) + info + "/RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for key, data in files.items():
            archive.writestr(key, data)
        archive.writestr(info + "/RECORD", rows)
    return name
def attempt(what):
    try:
        return what()
    except BaseException as e:
        return "REFUSED " + type(e).__name__
def get_requires_for_build_wheel(config_settings=None):
    report = {{}}
    required = []
{requires}
    return required
def build_wheel(folder, config_settings=None, metadata_directory=None):
    report = {{}}
    result = None
{code}
    return result or wheel(folder, report)
"""
_PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def sdist(folder: Path, code: str, *, name: str = "probe", requires: str = "pass") -> Path:
    """Write an sdist whose backend runs ``code``, which finds ``report``, ``attempt`` and ``wheel``."""

    def indented(text: str) -> str:
        return "".join(f"    {line}\n" for line in text.strip().splitlines())

    backend = _BACKEND.format(name=name, code=indented(code), requires=indented(requires))
    return write_sdist(folder, {"pyproject.toml": _PROJECT, "backend.py": backend}, name=name)


def write_sdist(folder: Path, files: Mapping[str, str], *, name: str = "probe") -> Path:
    """Write an sdist of these files."""
    path = folder / f"{name}-1.0.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for member, text in {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            **files,
        }.items():
            info = tarfile.TarInfo(f"{name}-1.0/{member}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


@dataclass(frozen=True)
class Built:
    """What a step left."""

    returncode: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def document(self) -> dict[str, Any]:
        """The step's answer."""
        assert self.returncode == 0, self.stderr
        value: dict[str, Any] = json.loads(self.stdout)
        return value

    @property
    def wheel(self) -> Path:
        """The wheel that was built."""
        return self.folder / "out" / str(self.document["filename"])

    def report(self, name: str = "probe") -> dict[str, Any]:
        """Return what the backend wrote down."""
        with zipfile.ZipFile(self.wheel) as archive:
            value: dict[str, Any] = json.loads(archive.read(f"{name}.json"))
        return value


@dataclass(frozen=True)
class Locked:
    """A build lock, and what was last said of the backend."""

    data: bytes
    said: Mapping[str, Any]

    @property
    def pins(self) -> list[str]:
        """The pins of its only sdist."""
        (row,) = json.loads(self.data)["environments"]
        found: list[str] = row["pins"]
        return found


class Builds(Workshop):
    """Runs the steps that call backends, with content and from a folder that everybody may enter."""

    def __init__(self, work: Path) -> None:
        super().__init__(ROOT, work)
        self.steps.step("toolbox", "--output", work / "tools", "--with", "pip", cwd=work)
        self.stand_in = self._stand_in()

    @property
    def base_lock(self) -> Path:
        """The example's base."""
        return ROOT / "3rdparty/debian/bookworm-py311.lock"

    def _stand_in(self) -> Path:
        """Write a compiler and a sysroot that only pure Python can be built with."""
        folder = self.work / "stand-in"
        (folder / "zig").mkdir(parents=True)
        (folder / "zig/zig").write_text("#!/bin/sh\nexit 1\n")
        include = folder / f"sysroot/usr/include/python{self.minor}"
        include.mkdir(parents=True)
        (include / "Python.h").touch()
        lib = folder / f"sysroot/usr/lib/python{self.minor}"
        lib.mkdir(parents=True)
        triplet = f"{os.uname().machine}-linux-gnu"
        gcc = folder / f"sysroot/usr/lib/gcc/{triplet}/12"
        start = folder / f"sysroot/usr/lib/{triplet}/crti.o"
        for file in (gcc / "crtbeginS.o", gcc / "libstdc++.so", start):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        (lib / f"_sysconfigdata__{triplet}.py").write_text("build_time_vars = {}\n")
        return folder

    @cached_property
    def programs(self) -> Path:
        """Programs of the locked base."""
        return self.tools(rust=False)

    def build(
        self,
        source: Path,
        folder: Path,
        *more: str,
        tools: Path | None = None,
        user: int | None = None,
        around: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> Built:
        """Build a wheel of pure Python.

        :param more: further arguments.
        :param user: who runs the step, by number; root only.
        :param around: words before the step's own command.
        """
        folder.mkdir(parents=True)
        (folder / "requirements").mkdir()
        arguments = self._hook_arguments(source, folder, tools or self.programs)
        arguments += ["--requirements", "requirements", "--output", "out", *more]
        return self._run("build", arguments, folder, user=user, around=around, env=env)

    def _hook_arguments(
        self,
        source: Path,
        folder: Path,
        tools: Path,
        sysroot: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> list[object]:
        named = {"name": source.name.partition("-")[0], "version": "1.0", **(settings or {})}
        (folder / "settings.json").write_text(json.dumps(named))
        one = self.stand_in
        arguments: list[object] = ["--sdist", source, "--target", self.target(self.host)]
        arguments += ["--sysroot", sysroot or one / "sysroot", "--zig", one / "zig"]
        return [*arguments, "--tools", tools, "--settings", "settings.json"]

    def lock(
        self,
        source: Path,
        folder: Path,
        around: Sequence[str] = (),
        *,
        sysroot: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Locked:
        """Lock what the build of an sdist requires.

        :param around: words before each step's own command.
        """
        folder.mkdir(parents=True)
        sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
        sdist = Distribution(source.name.partition("-")[0], "1.0", source.name, sha256)
        network = {
            k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.lower().endswith("_proxy")
        }

        def ask(wheels: Path) -> dict[str, Any]:
            arguments = self._hook_arguments(source, folder, self.programs, sysroot, settings)
            arguments += ["--requirements", wheels]
            return self._run("build-requires", arguments, folder, user=None, around=around, env=None).document

        def resolve(question: Mapping[str, Any]) -> dict[str, Any]:
            (folder / "request.json").write_text(json.dumps(question))
            arguments = ["--request", "request.json", "--target", self.target(self.host)]
            return self._run(
                "build-resolve", arguments, folder, user=None, around=around, env=network
            ).document

        document, said = settle(sdist, self.minor, Ways(ask, resolve, self.fetch), folder / "wheels")
        (folder / "found.json").write_text(json.dumps({**document, "pythons": [self.minor]}))
        arguments = ["--request", "found.json", "--output", "build.lock"]
        done = self._run("build-lock", arguments, folder, user=None, around=around, env=None)
        assert done.returncode == 0, done.stderr
        return Locked((folder / "build.lock").read_bytes(), said)

    def _run(
        self,
        step: str,
        arguments: Sequence[object],
        folder: Path,
        *,
        user: int | None,
        around: Sequence[str],
        env: Mapping[str, str] | None,
    ) -> Built:
        if user is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, user, user)
        done = subprocess.run(
            [*around, "/bin/sh", str(self.steps.core / "step.sh"), step, *map(str, arguments)],
            cwd=folder,
            env={
                "OCIWHEEL_TOOLS": str(self.work / "tools"),
                "OCIWHEEL_INTERPRETER": str(self.interpreter),
                **(env or {}),
            },
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        return Built(done.returncode, done.stdout, done.stderr, folder)
