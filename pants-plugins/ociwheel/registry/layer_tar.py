"""Reads the tar archive of a layer that somebody else made: bounded in bytes, entries and memory.

Specification: OCI image-spec 1.1, layer.md. No name of the archive ever becomes a path on this machine.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from ociwheel.errors import BaseError

Kind = Literal["file", "dir", "symlink", "hardlink", "other"]

MOST_BYTES = 32 << 30
"""Bytes of an unpacked layer: the largest published ones have half of that."""
MOST_ENTRIES = 2_000_000
MOST_HEADER_BYTES = 1 << 20
"""Bytes of one extended header, which tarfile holds in memory."""
_CHUNK = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, IndexError, KeyError)


@dataclass(frozen=True)
class LayerEntry:
    """One entry of a layer."""

    path: str
    """Path in the image, without leading slash; as the archive has it, links not followed."""
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    """Bytes of content."""
    target: str
    """A symbolic link's text; the path of a hard link's other name."""
    layer: int
    """The layer's number, bottom first."""
    number: int
    """The entry's number in its layer."""


class _Info(tarfile.TarInfo):
    """Refuses extended headers that are too large to hold."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if self.type in _EXTENDED and self.size > MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"an extended header of {self.size} bytes")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a sparse file")
        return super()._proc_member(tar)  # type: ignore[misc]


class _Bounded(io.RawIOBase):
    """Counts and hashes what is read, and ends a layer that does not end itself."""

    def __init__(self, stream: Any, most: int) -> None:
        super().__init__()
        self._stream = stream
        self._most = most
        self.hash = hashlib.sha256()
        self.count = 0

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, at most a chunk at once."""
        data: bytes = self._stream.read(_CHUNK if size < 0 else min(size, _CHUNK))
        self.count += len(data)
        if self.count > self._most:
            raise tarfile.ReadError(f"more than {self._most} bytes unpacked")
        self.hash.update(data)
        return data


class LayerReader:
    """An open layer: its entries in order, and the content of the current one."""

    def __init__(self, stream: _Bounded, number: int) -> None:
        self._stream = stream
        self._number = number
        self._tar = tarfile.open(  # noqa: SIM115 (has no descriptor of its own)
            fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape", tarinfo=_Info
        )
        self._info: tarfile.TarInfo | None = None

    def __iter__(self) -> Iterator[LayerEntry]:
        """Yield the entries, without the root itself and those whose names are no UTF-8 text."""
        for number, info in enumerate(self._tar):
            # tarfile keeps each header it has read.
            self._tar.members = []  # type: ignore[attr-defined]
            if number >= MOST_ENTRIES:
                raise tarfile.ReadError(f"more than {MOST_ENTRIES} entries")
            if info.issparse():
                raise tarfile.ReadError("a sparse file")
            self._info = info
            path = plain_path(info.name)
            target = plain_path(info.linkname) if info.islnk() else info.linkname
            if path and _is_text(path) and _is_text(target):
                yield LayerEntry(
                    path, _kind(info), stat.S_IMODE(info.mode), info.uid, info.gid,
                    info.size if info.isreg() else 0, target, self._number, number,
                )  # fmt: skip

    def content(self) -> IO[bytes]:
        """Return the content of the entry that was yielded last."""
        stream = self._tar.extractfile(self._info) if self._info else None
        if stream is None:
            raise tarfile.ReadError("an entry without content")
        return stream

    def finish(self) -> tuple[str, int]:
        """Read what is left, and return the layer's diff_id and the bytes of its archive."""
        while self._stream.read(_CHUNK):
            pass
        return f"sha256:{self._stream.hash.hexdigest()}", self._stream.count


@contextmanager
def open_layer(blob: Path, number: int = 0, most: int = MOST_BYTES) -> Iterator[LayerReader]:
    """Open a layer's blob.

    :param number: the layer's number, for its entries.
    :param most: bytes that it may unpack to.
    :raises BaseError: it is damaged or hostile.
    """
    try:
        with blob.open("rb") as file:
            yield LayerReader(_Bounded(_decompressed(file), most), number)
    except BaseError:
        raise
    except _DAMAGE as e:
        raise BaseError(
            f"the layer cannot be read: {' '.join(str(e).split()) or type(e).__name__}",
            where=blob.name,
            hint="the image is damaged, or made to do harm: tell its makers",
        ) from e


def plain_path(name: str) -> str:
    """Return a path relative to the image's root.

    :raises BaseError: it would leave it.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in name:
        raise BaseError(f"its entry {name!r} leaves the image", hint="the image is made to do harm")
    return "/".join(parts)


def _is_text(value: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in value)


def _kind(info: tarfile.TarInfo) -> Kind:
    if info.isdir():
        return "dir"
    if info.issym():
        return "symlink"
    if info.islnk():
        return "hardlink"
    return "file" if info.isreg() else "other"


class _Zstd:
    """Reads zstd; damage is an :class:`OSError`, as gzip's is."""

    def __init__(self, stream: Any, error: type[Exception]) -> None:
        self._stream = stream
        self._error = error

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        try:
            data: bytes = self._stream.read(size)
        except self._error as e:
            raise OSError(str(e)) from e
        return data


def _decompressed(file: IO[bytes]) -> Any:
    magic = file.read(len(_ZSTD_MAGIC))
    file.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        return gzip.GzipFile(fileobj=file)
    if magic != _ZSTD_MAGIC:
        return file
    for name in ("compression.zstd", "zstandard"):
        try:
            module: Any = importlib.import_module(name)
        except ImportError:
            continue
        if name == "zstandard":
            stream = module.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        else:
            stream = module.ZstdFile(file)
        return _Zstd(stream, module.ZstdError)
    raise BaseError(
        "the layer is compressed with zstd, and zstandard is not in the toolbox",
        where=Path(file.name).name,
        hint="its media type should end in +zstd: tell the image's makers; "
        "by hand, run the step `toolbox` with `--with zstd`",
    )
