"""What all builds share: the base's packages, sysroots, the compiler, the interpreter, test roots."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
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


def isolated(root: Path) -> list[str]:
    """Return the command that runs another in a file system of its own, with a ``/proc``, and ends with it.

    CMake finds its own files, and the base's Python this program's name, by ``/proc/self``.
    """
    (root / "proc").mkdir(exist_ok=True)
    return ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child", f"--root={root}", "--mount-proc"]


class Workshop:
    """Folders below one, each made once and kept for the next run."""

    def __init__(self, root: Path, work: Path, base_lock: Path | None = None) -> None:
        self.steps = Steps(root, work)
        self.work = work
        self.locks = root / "bench/table"
        self._base_lock = base_lock
        work.mkdir(parents=True, exist_ok=True)

    def of_base(self, base_lock: Path) -> Workshop:
        """Return the same workshop with another base, content that both have made once."""
        return Workshop(self.steps.root, self.work, base_lock)

    @property
    def base_lock(self) -> Path:
        """The Debian packages."""
        if self._base_lock is None:
            raise ValueError("this workshop has no base")
        return self._base_lock

    @property
    def sdist_lock(self) -> Path:
        """The sdists to build and the pure wheels beside them."""
        return self.locks / "distributions.lock"

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

    @contextlib.contextmanager
    def _debs(self, keys: Iterable[str]) -> Iterator[Path]:
        """Fetch packages into a pool, and give a folder of links to those asked for."""
        # In this process: a hundred steps take longer to start than to fetch.
        from ociwheel.debian.fetch_deb import WantedDeb, fetch_deb  # noqa: PLC0415
        from ociwheel.transport.network import Network  # noqa: PLC0415
        from ociwheel.transport.settings import load  # noqa: PLC0415

        pool, settings = self.work / "pool", load()
        rows = [self.debian["packages"][key] for key in keys]

        def fetch(row: Mapping[str, Any]) -> Path:
            path: Path = pool / row["sha256"] / Path(row["path"]).name
            if not path.exists():
                wanted = WantedDeb(*(row[name] for name in ("archive", "path", "size", "sha256")))
                fetch_deb(settings, Network(settings), wanted, path.parent)
            return path

        with ThreadPoolExecutor(4) as threads:
            files = list(threads.map(fetch, rows))
        with tempfile.TemporaryDirectory(dir=self.work, prefix=".debs-") as folder:
            for file in files:
                (Path(folder) / file.name).symlink_to(file)
            yield Path(folder)

    def _made(self, name: str, keys: object, make: Callable[[Path], None]) -> Path:
        """Return the folder of what ``make`` makes from ``keys``, once for all runs and bases."""
        digest = hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:16]
        folder = self.work / name / digest
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".made-") as place:
                made = Path(place) / "made"
                make(made)
                if not folder.is_dir():  # another run may have been faster
                    made.rename(folder)
        return folder

    def _unpacked(self, name: str, keys: Iterable[str], *step: object, what: str, target: Path) -> Path:
        """Return what a step unpacks from Debian packages."""
        keys = sorted(set(keys))

        def make(folder: Path) -> None:
            say(f"unpacking {what}")
            with self._debs(keys) as debs:
                arguments = ("--debs", debs, "--target", target, "--output", folder)
                self.steps.step(str(step[0]), *step[1:], *arguments, cwd=self.work)

        return self._made(name, keys, make)

    def target(self, platform: str) -> Path:
        """Return the target document of a platform."""
        path = self.work / f"{platform.replace('/', '-')}.target.json"
        fields = self.debian["platforms"].get(platform, {}).get("target")
        text = json.dumps({"schema": "ociwheel.target/1", **fields})
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    @cached_property
    def interpreter(self) -> Path:
        """The base's Python for this machine."""
        keys = self.debian["interpreters"][self.host]
        target = self.target(self.host)
        return self._unpacked("interpreter", keys, "interpreter", what="Python", target=target)

    @cached_property
    def zig(self) -> Path:
        """The compiler."""
        row = json.loads((self.steps.core / "ociwheel/tools.lock").read_text())["zig"][
            f"linux-{os.uname().machine}"
        ]

        def make(folder: Path) -> None:
            say("unpacking the compiler")
            wheel = self.fetch(Distribution(row["name"], row["version"], row["filename"], row["sha256"]))
            self.steps.step("zig", "--wheel", wheel, "--output", folder, cwd=self.work)

        return self._made("zig", row, make)

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

    def sysroot(self, platform: str, group: str | None = None) -> Path:
        """Return the headers and libraries of a platform, with those of a distribution's own group."""
        row = self.debian["platforms"][platform]
        keys = [*row["builder"], *row.get("builder_groups", {}).get(group, ())]
        what, target = f"headers and libraries of {platform}", self.target(platform)
        return self._unpacked(f"sysroot/{platform}", keys, "sysroot", what=what, target=target)

    def tools(self, *, rust: bool) -> Path:
        """Return the programs for builds on this machine: make, and cargo where it is asked for."""
        locked = self.debian["tools"][self.host]
        wanted = [n for n in locked if n != HOST_SYSROOT and (rust or not n.startswith("cargo"))]
        keys = [key for name in wanted for key in locked[name]]
        target = self.target(self.host)
        return self._unpacked("programs", keys, "build-programs", what="programs for builds", target=target)

    def gcc(self, platform: str) -> Path:
        """Return Debian's own compiler for a platform, which the base must have locked."""
        keys = self.debian["compilers"][self.host][platform]
        target = self.target(self.host)
        return self._unpacked(f"gcc/{platform}", keys, "gcc", what=f"gcc for {platform}", target=target)

    @cached_property
    def host_sysroot(self) -> Path:
        """What a build compiles for this machine, as cargo does, is compiled against."""
        keys = self.debian["tools"][self.host][HOST_SYSROOT]
        what, target = "headers and libraries of this machine", self.target(self.host)
        return self._unpacked("host-sysroot", keys, "sysroot", what=what, target=target)

    def layers(self, platform: str) -> list[Path]:
        """Return the layers of a base, as an image has them, bottom first."""
        return [
            *(self._layer(platform, layer) for layer in self.debian["platforms"][platform]["layers"]),
            self._rootfs(platform),
        ]

    def _layer(self, platform: str, layer: Mapping[str, Any]) -> Path:
        def make(folder: Path) -> None:
            say(f"{platform}: laying out {layer['title']}")
            with self._debs(layer["packages"]) as debs:
                arguments = ("--debs", debs, "--title", layer["title"], "--output", folder)
                self.steps.step("deb-layer", *arguments, cwd=self.work)

        return self._made(f"layers/{platform}", [layer["title"], layer["packages"]], make)

    def _rootfs(self, platform: str) -> Path:
        def make(folder: Path) -> None:
            arguments = ("--target", self.target(platform), "--output", folder)
            self.steps.step("rootfs-layer", *arguments, cwd=self.work)

        return self._made(f"layers/{platform}", "rootfs", make)

    def root(self, platform: str) -> Path:
        """Return a file system of the base's layers, kept for the next run."""
        names = [layer.name for layer in self.layers(platform)]
        return self._made(f"root/{platform}", names, lambda folder: self.lay_out(platform, folder))

    def lay_out(self, platform: str, folder: Path) -> None:
        """Make a file system of the base's layers, with QEMU where it takes one."""
        folder.mkdir()
        for layer in self.layers(platform):
            self.extract(layer, folder)
        if platform != self.host:
            program = shutil.which(_QEMU[platform])
            if program is None:
                raise SystemExit(f"needs {_QEMU[platform]}\n  -> as root: apt-get install qemu-user-static")
            shutil.copy(program, folder / "qemu")

    @staticmethod
    def extract(layer: Path, folder: Path) -> None:
        """Unpack a layer over others."""
        for blob in sorted((layer / "blobs/sha256").iterdir()):
            with tarfile.open(blob) as archive:
                archive.extractall(folder, filter="fully_trusted")  # noqa: S202  our own layers
