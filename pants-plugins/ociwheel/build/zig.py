"""The compiler's wheel, unpacked: zig's one binary holds clang, lld and the binutils."""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ociwheel.errors import BuildError, UsageError

# A tree that every build has as input: what no Linux target reads is left out. Measured with
# 0.17.1: 411 MB in 19,520 files become 264 MB in 7,500.
_UNUSED = (
    "__init__.py",
    "__main__.py",
    "doc/*",
    "lib/build-web/*",
    "lib/docs/*",
    "lib/init/*",
    "lib/lldb/*",
    "lib/libtsan/*",
    "lib/libc/darwin/*",
    "lib/libc/freebsd/*",
    "lib/libc/mingw/*",
    "lib/libc/netbsd/*",
    "lib/libc/openbsd/*",
    "lib/libc/wasi/*",
    "lib/libc/include/*darwin*",
    "lib/libc/include/*freebsd*",
    "lib/libc/include/*macos*",
    "lib/libc/include/*netbsd*",
    "lib/libc/include/*openbsd*",
    "lib/libc/include/*wasi*",
    "lib/libc/include/*windows*",
)
_PACKAGE = "ziglang/"


@dataclass(frozen=True)
class TreeSize:
    """How much was unpacked."""

    files: int
    size: int
    """Bytes."""


def unpack(wheel: Path, output: Path) -> TreeSize:
    """Unpack the ``ziglang`` wheel so that ``output/zig`` is the compiler and ``output/lib`` its library.

    :param wheel: a ``ziglang`` wheel for the machine that builds.
    :param output: a folder that is made.
    :raises BuildError: the wheel is no such wheel, or an entry of it would leave ``output``.
    """
    files = size = 0
    try:
        archive = zipfile.ZipFile(wheel)
    except (OSError, zipfile.BadZipFile) as e:
        raise UsageError(f"cannot be read as a wheel: {e}", where=wheel.name) from e
    with archive:
        for info in archive.infolist():
            name = info.filename.removeprefix(_PACKAGE)
            if info.is_dir() or name == info.filename or _unused(name):
                continue
            _check(name, info, wheel.name)
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            path.chmod(0o755 if name == "zig" else 0o644)
            files += 1
            size += info.file_size
    if not (output / "zig").is_file() or not (output / "lib").is_dir():
        raise BuildError("the wheel holds no zig binary with its library", where=wheel.name)
    return TreeSize(files, size)


def tree_size(root: Path) -> TreeSize:
    """Return how many files a folder holds, and their bytes; a link counts as a file of no bytes."""
    files = size = 0
    for folder, _, names in os.walk(root):
        for name in names:
            status = os.lstat(os.path.join(folder, name))
            files += 1
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return TreeSize(files, size)


def _unused(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _UNUSED)


def _check(name: str, info: zipfile.ZipInfo, wheel: str) -> None:
    path = PurePosixPath(name)
    linked = stat.S_ISLNK(info.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in name or linked:
        raise BuildError(f"the entry {info.filename!r} would leave its folder", where=wheel)
