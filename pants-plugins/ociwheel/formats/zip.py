"""Reads zip archives: wheels and sdists. Only what these have: stored and deflated files, and folders.

Format: APPNOTE.TXT 6.3, as far as the binary distribution format needs it.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ociwheel.formats.guard import Guard
from ociwheel.formats.limits import CHUNK_BYTES
from ociwheel.formats.names import inside
from ociwheel.wording import quoted

_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


@dataclass(frozen=True)
class ZipEntry:
    """One file or folder."""

    path: str
    """Relative, without ``.`` and ``..``."""
    is_folder: bool
    executable: bool
    size: int
    """Bytes, as the archive says; no more are read."""
    info: zipfile.ZipInfo


class ZipReader:
    """An open archive.

    :ivar entries: in the order of its directory.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int, guard: Guard) -> None:
        self._archive = archive
        self._guard = guard
        self.in_memory = (guard.limits.free_bytes >> 1) + 5 * size
        """Bytes of one entry that may be held at once."""
        self._left = self._most = guard.limits.unpacked(size)
        infos = archive.infolist()
        if len(infos) > guard.limits.entries:
            raise guard.too_much(f"it has more than {guard.limits.entries} entries", "entries")
        self.entries = tuple(_entry(info, guard) for info in infos)
        seen: set[str] = set()
        for entry in self.entries:
            if entry.path in seen and not entry.is_folder:
                raise guard.refuse(f"the entry {quoted(entry.path)} comes twice")
            seen.add(entry.path)

    def chunks(self, entry: ZipEntry) -> Iterator[bytes]:
        """Yield the content of a file.

        :raises OciwheelError: it is damaged, or beyond a limit.
        """
        shown_path = quoted(entry.path)
        if entry.size > self._guard.limits.entry_bytes:
            raise self._guard.too_much(
                f"the entry {shown_path} says that it has {entry.size} bytes", "entry_bytes"
            )
        self._left -= entry.size
        if self._left < 0:
            limit = "total_bytes" if self._most == self._guard.limits.total_bytes else "ratio"
            raise self._guard.too_much(f"it has more than {self._most} bytes unpacked", limit)
        with (
            self._guard.reading(f"the entry {shown_path} is damaged"),
            self._archive.open(entry.info) as file,
        ):
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def read(self, entry: ZipEntry, most: int) -> bytes:
        """Return the content of a file.

        :raises OciwheelError: it is more than ``most`` bytes.
        """
        if entry.size > most:
            raise self._guard.refuse(
                f"the entry {quoted(entry.path)} has {entry.size} bytes, more than {most}"
            )
        return b"".join(self.chunks(entry))


def check_sizes(archive: zipfile.ZipFile, size: int, guard: Guard) -> None:
    """Make sure that all of an archive may be read, for a library that reads it by itself.

    :param size: bytes of the archive.
    :raises OciwheelError: it unpacks to more than the limits allow, or is compressed in another way.
    """
    infos = archive.infolist()
    for info in infos:
        _check_method(info, guard)
    most = guard.limits.unpacked(size)
    if sum(info.file_size for info in infos) > most:
        limit = "total_bytes" if most == guard.limits.total_bytes else "ratio"
        raise guard.too_much(f"it has more than {most} bytes unpacked", limit)


@contextmanager
def open_zip(path: Path, guard: Guard) -> Iterator[ZipReader]:
    """Open an archive.

    :raises OciwheelError: it is none, or has an entry that comes twice, is encrypted, compressed in another
        way, a link, or outside of its folder.
    """
    with guard.reading("is no zip archive, or a damaged one"):
        archive = zipfile.ZipFile(path)
    with archive:
        yield ZipReader(archive, path.stat().st_size, guard)


def _entry(info: zipfile.ZipInfo, guard: Guard) -> ZipEntry:
    # zipfile cuts a name at its first NUL, and makes slashes of what its own system separates paths with.
    name = info.orig_filename
    mode = info.external_attr >> 16
    if "\\" in name or stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        what = "would leave its folder" if "\\" in name else "is a link or a special file"
        raise guard.refuse(f"the entry {quoted(name)} {what}")
    _check_method(info, guard)
    path = inside(name, guard)
    return ZipEntry(path, name.endswith("/") or not path, bool(mode & 0o111), info.file_size, info)


def _check_method(info: zipfile.ZipInfo, guard: Guard) -> None:
    name = quoted(info.orig_filename)
    if info.flag_bits & _ENCRYPTED:
        raise guard.refuse(f"the entry {name} is encrypted")
    if info.compress_type not in _METHODS:
        raise guard.refuse(
            f"the entry {name} is compressed in a way that wheels and sdists are not: "
            f"method {info.compress_type}"
        )
