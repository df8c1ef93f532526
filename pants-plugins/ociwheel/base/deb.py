"""Reads a binary package, deb(5): an ar archive of a control tarball and a data tarball.

Maintainer scripts are never looked at. File contents go to numbered files of a scratch folder, so
no name of the archive ever becomes a path on this machine.
"""

from __future__ import annotations

import gzip
import importlib
import itertools
import lzma
import shutil
import stat
import tarfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal

from debian.arfile import ArError, ArFile
from debian.deb822 import Deb822

from ociwheel.errors import BaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from ociwheel.platforms import Platform

Kind = Literal["file", "dir", "symlink", "hardlink"]

_DECOMPRESSORS: Mapping[str, Callable[[Any], Any]] = {
    "": lambda stream: stream,
    ".gz": lambda stream: gzip.GzipFile(fileobj=stream),
    ".xz": lzma.LZMAFile,
}
_DAMAGE = (
    ArError,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    IndexError,
    KeyError,
)


@dataclass(frozen=True)
class Member:
    """One entry of a package's data tarball."""

    path: str
    """Relative to the root, without ``./``."""
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    source: Path | None = None
    """Where a file's content is."""
    target: str = ""
    """A symbolic link's text; a hard link's other path, relative to the root."""


@dataclass(frozen=True)
class Package:
    """A package that was unpacked."""

    name: str
    version: str
    architecture: str
    control: str
    """The text of its control file."""
    md5sums: str
    members: tuple[Member, ...]


def read_debs(folder: Path, scratch: Path) -> tuple[Package, ...]:
    """Unpack every package of a folder, in order of name.

    :param scratch: a folder for the contents, which must outlive the result.
    :raises BaseError: there is none, one is there twice, or one is damaged or hostile.
    """
    files = sorted(path for path in folder.rglob("*.deb") if path.is_file()) if folder.is_dir() else []
    if not files:
        raise BaseError("there is no .deb file", where=str(folder))
    numbers = itertools.count()
    packages: dict[str, Package] = {}
    for path in files:
        package = read_deb(path, scratch, numbers)
        other = packages.setdefault(package.name, package)
        if other is not package:
            raise BaseError(
                f"two versions of {package.name}: {other.version} and {package.version}", where=str(folder)
            )
    return tuple(packages[name] for name in sorted(packages))


def read_deb(path: Path, scratch: Path, numbers: Iterator[int]) -> Package:
    """Unpack one package.

    :param numbers: names for the files of ``scratch``.
    :raises BaseError: the file is no package, is damaged, or has a member that must not be unpacked.
    """
    try:
        with path.open("rb") as file:
            archive = ArFile(fileobj=file)
            _check_format(archive, path)
            control, md5sums = _control(archive, path)
            members = tuple(_data(archive, path, scratch, numbers))
    except BaseError:
        raise
    except _DAMAGE as e:
        raise BaseError(f"cannot be read: {type(e).__name__}: {e}", where=path.name) from e
    fields = Deb822(control)
    values = [str(fields.get(key, "")).strip() for key in ("Package", "Version", "Architecture")]
    if not all(values) or "/" in values[0] or values[0].startswith("."):
        raise BaseError("its control file lacks Package, Version or Architecture", where=path.name)
    return Package(values[0], values[1], values[2], control, md5sums, members)


def _check_format(archive: ArFile, path: Path) -> None:
    # deb(5): "debian-binary [...] The first member", whose content is "2." and a minor number.
    names = archive.getnames()
    first = names[0] if names else ""
    if first != "debian-binary" or not archive.getmember(first).read().startswith(b"2."):
        raise BaseError("is no Debian package of format 2", where=path.name)


def _tarball(archive: ArFile, stem: str, path: Path) -> tarfile.TarFile:
    names = [name for name in archive.getnames() if name.startswith(f"{stem}.tar")]
    if len(names) != 1:
        raise BaseError(f"has {len(names)} members {stem}.tar*, not one", where=path.name)
    suffix = names[0].removeprefix(f"{stem}.tar")
    decompress = _DECOMPRESSORS.get(suffix) or _zstd(suffix)
    if decompress is None:
        raise BaseError(
            f"is compressed in a way this Python cannot read: {names[0]}",
            where=path.name,
            hint="zstandard (.zst) needs Python 3.14 or later; Debian's own packages use .xz",
        )
    stream = decompress(archive.getmember(names[0]))
    return tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape")


def _zstd(suffix: str) -> Callable[[Any], Any] | None:
    if suffix != ".zst":
        return None
    try:
        module: Any = importlib.import_module("compression.zstd")
    except ImportError:
        return None
    opener: Callable[[Any], Any] = module.ZstdFile
    return opener


def _control(archive: ArFile, path: Path) -> tuple[str, str]:
    texts = {"control": "", "md5sums": ""}
    with _tarball(archive, "control", path) as tar:
        for info in tar:
            name = info.name.removeprefix("./")
            if name in texts and info.isreg():
                texts[name] = _stream(tar, info).read().decode(errors="replace")
    return texts["control"], texts["md5sums"]


def _stream(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(info)
    if stream is None:
        raise tarfile.ReadError(f"{info.name} has no content")
    return stream


def _data(archive: ArFile, path: Path, scratch: Path, numbers: Iterator[int]) -> Iterator[Member]:
    with _tarball(archive, "data", path) as tar:
        for info in tar:
            where = f"{path.name}, {info.name!r}"
            name = _plain_path(info.name, where)
            if not name:
                continue  # the root itself
            mode = stat.S_IMODE(info.mode)
            if info.isdir():
                yield Member(name, "dir", mode, info.uid, info.gid)
            elif info.issym():
                yield Member(
                    name, "symlink", 0o777, info.uid, info.gid, target=_link_text(info.linkname, where)
                )
            elif info.islnk():
                target = _plain_path(info.linkname, where)
                yield Member(name, "hardlink", mode, info.uid, info.gid, target=target)
            elif info.isreg():
                stream = _stream(tar, info)
                source = scratch / str(next(numbers))
                with source.open("wb") as file:
                    shutil.copyfileobj(stream, file)
                yield Member(name, "file", mode, info.uid, info.gid, source)
            else:
                raise BaseError("is a device or another special file", where=where)


def _plain_path(name: str, where: str) -> str:
    """Return a path relative to the root.

    :raises BaseError: it would leave the root, or is no text.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts:
        raise BaseError("its path leaves the package's root", where=where)
    return _text("/".join(parts), where)


def _link_text(target: str, where: str) -> str:
    if not target:
        raise BaseError("is a symbolic link to nothing", where=where)
    return _text(target, where)


def _text(value: str, where: str) -> str:
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise BaseError("its path is no UTF-8 text", where=where)
    return value


def check_architecture(packages: Iterable[Package], row: Platform) -> None:
    """Refuse packages of another architecture than the target's.

    :raises BaseError: naming them.
    """
    wrong = [
        f"{p.name} {p.version}: {p.architecture}"
        for p in packages
        if p.architecture not in {row.debian, "all"}
    ]
    if wrong:
        raise BaseError(f"these packages are not for {row.oci} ({row.debian}):", details=wrong)
