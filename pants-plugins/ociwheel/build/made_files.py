"""Files that the base's own programs make of what other packages brought: caches of fonts, of image formats.

The programs run once, in a root of their own that holds the base's packages and nothing else, without a
network. For a foreign platform those of the machine's own platform run: what they make is the same for
all, but for the name of the folder of libraries and for the width of pointers.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ociwheel.base.deb_layer import layer_entries
from ociwheel.base.tree import write_tree
from ociwheel.base.venv import PROGRAM_FOLDER
from ociwheel.build.resource_limits import BuildLimits, run_limited
from ociwheel.build.root import Refused, has_bubblewrap, host_platform, prepare
from ociwheel.debian.deb import Package
from ociwheel.debian.makers import MAKERS, TRIPLET, Maker
from ociwheel.errors import BaseError, ToolError
from ociwheel.formats.entries import Entry
from ociwheel.formats.times import CONSTANT
from ociwheel.notes import tell
from ociwheel.platforms import Platform
from ociwheel.remedies import Remedy

_LIMITS = BuildLimits(seconds=600)
_MOST_BYTES = 64 << 20
"""Of all that programs make: the largest database of types has a twentieth of that."""
_USER = 1000
_TOOLS = "/tmp/tools"  # noqa: S108  in the root
_FOLDERS = ("dev", "proc", "tmp", "var/cache/fontconfig")


@dataclass(frozen=True)
class Made:
    """What a program made."""

    package: str
    version: str
    entries: tuple[Entry, ...]


def make_files(
    packages: Sequence[Package],
    tools: Path | None,
    row: Platform,
    accepted: Collection[str],
    folder: Path,
) -> tuple[Made, ...]:
    """Run what the packages have of :data:`MAKERS`.

    :param packages: the base's, of a platform that this machine runs.
    :param tools: what the ``build-programs`` step made.
    :param row: the image's platform.
    :param accepted: packages whose programs are not run.
    :param folder: an empty folder, absolute.
    :raises ToolError: this machine gives no root of its own.
    :raises BaseError: a program failed.
    """
    host = host_platform()
    placed = {entry.path: entry for entry in layer_entries(tuple(packages))[0]}
    if host is None:
        raise ToolError("no base is made for this machine, so it runs no program of one")
    wanted = list(_wanted(packages, placed, host, accepted))
    if not wanted:
        return ()
    write_tree(placed, folder)
    root = _Root(folder, _words(folder, tools, wanted[0]), host, row)
    return tuple(root.run(maker, package) for maker, package in wanted if root.fits(maker, package))


def _wanted(
    packages: Sequence[Package], placed: Mapping[str, Entry], host: Platform, accepted: Collection[str]
) -> Iterator[tuple[Maker, Package]]:
    by_name = {package.name: package for package in packages}
    for maker in MAKERS:
        for name in maker.packages:
            program = maker.program.replace(TRIPLET, host.triplet)
            if name in by_name and name not in accepted and program in placed:
                reads = _pattern(maker.reads, host)
                if any(reads.fullmatch(path) for path in placed):
                    yield maker, by_name[name]


def _pattern(text: str, row: Platform) -> re.Pattern[str]:
    return re.compile(text.replace(TRIPLET, re.escape(row.triplet)))


def _words(root: Path, tools: Path | None, first: tuple[Maker, Package]) -> tuple[str, ...]:
    """Return the words before a command that run it in the tree."""
    maker, package = first
    if tools is None or not has_bubblewrap(tools):
        words: tuple[str, ...] | Refused = Refused(
            "the lock of the base has no bubblewrap", Remedy("relock-base")
        )
    else:
        for name in _FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
        for path in sorted((root / "usr").iterdir()):
            if path.name.startswith(("lib", "bin", "sbin")) and not (root / path.name).exists():
                (root / path.name).symlink_to(f"usr/{path.name}")
        words = prepare(_command(root, tools), [f"{_TOOLS}/{PROGRAM_FOLDER}/true"])
    if isinstance(words, Refused):
        raise ToolError(
            f"{maker.name} of {package.name} makes a file of the image, and this machine gives it no root "
            f"of its own to run in ({words.why})",
            hint=words.remedy,
            details=[f"an image without that file: name {package.name} in accept_scripts of the base"],
        )
    return words


def _command(root: Path, tools: Path) -> list[str]:
    return [
        *(str(tools / "usr/bin/bwrap"), "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net"),
        *("--unshare-uts", "--unshare-cgroup-try", "--hostname", "build", "--uid", str(_USER)),
        *("--gid", str(_USER), "--cap-drop", "ALL", "--die-with-parent", "--new-session"),
        *("--bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"),
        *("--remount-ro", "/dev", "--remount-ro", "/proc", "--tmpfs", "/tmp"),  # noqa: S108  the root's own
        *("--ro-bind", str(tools), _TOOLS, "--chdir", "/"),
    ]


@dataclass(frozen=True)
class _Root:
    """Where programs run that make files.

    :param words: the command that opens it.
    :param host: the platform of this machine, whose programs run.
    :param row: the image's platform.
    """

    folder: Path
    words: tuple[str, ...]
    host: Platform
    row: Platform

    def fits(self, maker: Maker, package: Package) -> bool:
        """Tell whether what a program makes here is right for the image's platform, and if not, say so."""
        if not maker.bits or self.host.elf_class == self.row.elf_class:
            return True
        tell(
            f"{package.name} {package.version}: {maker.name} makes files for {self.row.elf_class} bits only "
            f"where programs of {self.row.oci} run; without them, programs look for themselves at each start"
        )
        return False

    def run(self, maker: Maker, package: Package) -> Made:
        """Run a program and return what it made."""
        before = self._state()
        reads = _pattern(maker.reads, self.host)
        files = sorted(path for path in before if reads.fullmatch(path))
        last = [f"/{path}" for path in files] if maker.arguments[-1:] == ("*",) else []
        program = f"/{self._here(maker.program)}"
        fixed = [self._here(one) for one in maker.arguments if one != "*"]
        env = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
        env |= {"SOURCE_DATE_EPOCH": str(CONSTANT), "PKGSYSTEM_ENABLE_FSYNC": "0"}
        ended = run_limited([*self.words, program, *fixed, *last], env=env, limits=_LIMITS)
        if ended.returncode or ended.met:
            raise BaseError(
                f"{maker.name} of {package.name} {package.version} failed: "
                f"{ended.met or f'exit code {ended.returncode}'}",
                details=ended.lines[-20:],
                hint=f"leave it out: name {package.name} in accept_scripts of the base",
            )
        origin = f"{package.name} {package.version}"
        if maker.stdout:
            text = self._there("\n".join([*ended.lines, ""]))
            entry = Entry(
                self._there(self._here(maker.stdout)), "file", 0o644, source=text.encode(), origin=origin
            )
            return Made(package.name, package.version, (entry,))
        makes = _pattern(maker.makes, self.host)
        changed = [p for p, was in self._state().items() if before.get(p) != was and makes.fullmatch(p)]
        return Made(package.name, package.version, tuple(self._entries(sorted(changed), origin)))

    def _here(self, text: str) -> str:
        return text.replace(TRIPLET, self.host.triplet)

    def _there(self, text: str) -> str:
        return text.replace(self.host.triplet, self.row.triplet)

    def _state(self) -> dict[str, tuple[int, int, int]]:
        """Return size and times of each file; and give folders the time that they have in the image."""
        found = {}
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                row = os.lstat(path)
                found[os.path.relpath(path, self.folder)] = (row.st_size, row.st_mtime_ns, row.st_ino)
            # A cache of fonts is for a folder with this time, and for no other.
            os.utime(folder, (CONSTANT, CONSTANT))
        return found

    def _entries(self, paths: Sequence[str], origin: str) -> Iterator[Entry]:
        size = 0
        top = os.path.realpath(self.folder)
        for path in paths:
            real = os.path.join(top, path)
            # A program may leave a link to anywhere; what is taken is a plain file of the tree.
            if os.path.realpath(real) != real or not stat.S_ISREG(os.lstat(real).st_mode):
                continue
            size += os.lstat(real).st_size
            if size > _MOST_BYTES:
                raise BaseError(
                    f"the files that programs make have more than {_MOST_BYTES} bytes", where=origin
                )
            data = Path(real).read_bytes()
            there = self._there(path)
            if there != path:
                data = data.replace(self.host.triplet.encode(), self.row.triplet.encode())
            yield Entry(there, "file", 0o644, source=data, origin=origin)
