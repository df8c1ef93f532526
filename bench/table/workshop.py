"""What all builds share: the base's packages, sysroots, the compiler, the interpreter, test roots."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.table.listing import Distribution, read_lock
from bench.table.steps import Steps

HOST_SYSROOT = "libc6-dev"
"""As the core's policy calls it in a lock."""
_MACHINES = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
_QEMU = {
    "linux/amd64": "qemu-x86_64-static",
    "linux/arm64": "qemu-aarch64-static",
    "linux/arm/v7": "qemu-arm-static",
}


def say(text: str) -> None:
    """Print a progress line."""
    print(f"bench/build_table: {text}", file=sys.stderr, flush=True)


class Workshop:
    """Folders below one, each made once and kept for the next run."""

    def __init__(self, root: Path, work: Path) -> None:
        self.steps = Steps(root, work)
        self.work = work
        self.locks = root / "bench/table"
        work.mkdir(parents=True, exist_ok=True)

    @property
    def base_lock(self) -> Path:
        """The Debian packages."""
        return self.locks / "base.lock"

    @property
    def sdist_lock(self) -> Path:
        """The sdists to build and the pure wheels beside them."""
        return self.locks / "distributions.lock"

    @property
    def build_lock(self) -> Path:
        """The build requirements."""
        return self.locks / "build.lock"

    @cached_property
    def debian(self) -> dict[str, Any]:
        """The lock of the base."""
        value: dict[str, Any] = json.loads(self.base_lock.read_text(encoding="utf-8"))
        return value

    @property
    def minor(self) -> str:
        """The Python of the base, ``3.11``."""
        return str(self.debian["python"])

    @property
    def host(self) -> str:
        """The platform of this machine."""
        return _MACHINES[os.uname().machine]

    def distributions(self) -> dict[str, Distribution]:
        """Return the locked files of the index."""
        return read_lock(self.sdist_lock)

    def toolbox(self) -> None:
        """Fetch the libraries that steps import, and make them importable here."""
        tools = self.work / "tools"
        if not (tools / "lib").is_dir():
            say("fetching the steps' libraries")
            self.steps.step("toolbox", "--output", tools, "--with", "pip", cwd=self.work)
        sys.path[:0] = [str(self.steps.core), str(tools / "lib")]

    def _debs(self, keys: Iterable[str], folder: Path) -> Path:
        """Fetch packages into a pool, and link those asked for into ``folder``."""
        pool = self.work / "pool"
        rows = [self.debian["packages"][key] for key in keys]

        def fetch(row: Mapping[str, Any]) -> Path:
            path: Path = pool / row["sha256"] / Path(row["path"]).name
            if not path.exists():
                self.steps.step(
                    *("fetch-deb", "--archive", row["archive"], "--path", row["path"]),
                    *("--size", row["size"], "--sha256", row["sha256"], "--output", path.parent),
                    cwd=self.work,
                )
            return path

        with ThreadPoolExecutor(4) as threads:
            files = list(threads.map(fetch, rows))
        if folder.is_dir():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for file in files:
            (folder / file.name).symlink_to(file)
        return folder

    def _made(self, name: str, keys: object) -> tuple[Path, bool]:
        """Return a folder, and whether it holds what was made from ``keys``."""
        folder, mark = self.work / name, self.work / f"{name}.made-from"
        text = json.dumps(keys)
        if folder.is_dir() and mark.is_file() and mark.read_text() == text:
            return folder, True
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(text)
        return folder, False

    def target(self, platform: str) -> Path:
        """Return the target document of a platform."""
        path = self.work / f"{platform.replace('/', '-')}.target.json"
        fields = self.debian["platforms"].get(platform, {}).get("target")
        path.write_text(json.dumps({"schema": "ociwheel.target/1", **fields}))
        return path

    @cached_property
    def interpreter(self) -> Path:
        """The base's Python for this machine."""
        keys = self.debian["interpreters"][self.host]
        folder, made = self._made("interpreter", keys)
        if not made:
            say(f"unpacking Python {self.minor}")
            debs = self._debs(keys, self.work / "debs/interpreter")
            self.steps.step(
                *("interpreter", "--debs", debs, "--target", self.target(self.host), "--output", folder),
                cwd=self.work,
            )
        return folder

    @cached_property
    def zig(self) -> Path:
        """The compiler."""
        row = json.loads((self.steps.core / "ociwheel/tools.lock").read_text())["zig"][
            f"linux-{os.uname().machine}"
        ]
        folder, made = self._made("zig", row)
        if not made:
            say("unpacking the compiler")
            wheel = self.fetch(Distribution(row["name"], row["version"], row["filename"], row["sha256"]))
            self.steps.step("zig", "--wheel", wheel, "--output", folder, cwd=self.work)
        return folder

    def fetch(self, file: Distribution) -> Path:
        """Fetch one file of the index."""
        path = self.work / "files" / file.sha256 / file.filename
        if not path.exists():
            self.steps.step(
                *("fetch", "--name", file.name, "--version", file.version, "--filename", file.filename),
                *("--sha256", file.sha256, "--output", path.parent),
                cwd=self.work,
            )
        return path

    def sysroot(self, platform: str) -> Path:
        """Return the headers and libraries of a platform."""
        keys = self.debian["platforms"][platform]["builder"]
        folder, made = self._made(f"sysroot/{platform}", keys)
        if not made:
            say(f"{platform}: unpacking headers and libraries")
            debs = self._debs(keys, self.work / "debs" / platform / "builder")
            self.steps.step(
                *("sysroot", "--debs", debs, "--target", self.target(platform), "--output", folder),
                cwd=self.work,
            )
        return folder

    def tools(self, *, rust: bool) -> Path:
        """Return the programs for builds on this machine: make, and cargo where it is asked for."""
        locked = self.debian["tools"][self.host]
        wanted = [n for n in locked if n != HOST_SYSROOT and (rust or not n.startswith("cargo"))]
        keys = sorted({key for name, found in locked.items() if name in wanted for key in found})
        folder, made = self._made("tools-rust" if rust else "tools-make", keys)
        if not made:
            say("unpacking programs for builds")
            debs = self._debs(keys, self.work / "debs/tools")
            target = self.target(self.host)
            self.steps.step(
                "build-programs", "--debs", debs, "--target", target, "--output", folder, cwd=self.work
            )
        return folder

    @cached_property
    def host_sysroot(self) -> Path:
        """What a build compiles for this machine, as cargo does, is compiled against."""
        keys = self.debian["tools"][self.host][HOST_SYSROOT]
        folder, made = self._made("host-sysroot", keys)
        if not made:
            say("unpacking headers and libraries of this machine")
            debs = self._debs(keys, self.work / "debs/host-sysroot")
            target = self.target(self.host)
            self.steps.step("sysroot", "--debs", debs, "--target", target, "--output", folder, cwd=self.work)
        return folder

    def root(self, platform: str) -> Path:
        """Return a file system of the base's layers, as an image has it, with QEMU where it takes one."""
        layers = self.debian["platforms"][platform]["layers"]
        folder, made = self._made(f"root/{platform}", layers)
        if made:
            return folder
        say(f"{platform}: laying out the base")
        folder.mkdir(parents=True)
        for layer in layers:
            place = self.work / "layers" / platform / layer["title"]
            shutil.rmtree(place, ignore_errors=True)
            debs = self._debs(layer["packages"], self.work / "debs" / platform / layer["title"])
            self.steps.step(
                *("deb-layer", "--debs", debs, "--title", layer["title"], "--output", place), cwd=self.work
            )
            self._extract(place, folder)
        place = self.work / "layers" / platform / "rootfs"
        shutil.rmtree(place, ignore_errors=True)
        self.steps.step("rootfs-layer", "--target", self.target(platform), "--output", place, cwd=self.work)
        self._extract(place, folder)
        if platform != self.host:
            program = shutil.which(_QEMU[platform])
            if program is None:
                raise SystemExit(f"needs {_QEMU[platform]}\n  -> as root: apt-get install qemu-user-static")
            shutil.copy(program, folder / "qemu")
        return folder

    @staticmethod
    def _extract(layer: Path, folder: Path) -> None:
        for blob in sorted((layer / "blobs/sha256").iterdir()):
            with tarfile.open(blob) as archive:
                archive.extractall(folder, filter="fully_trusted")  # noqa: S202  our own layers
