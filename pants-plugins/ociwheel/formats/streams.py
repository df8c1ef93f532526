"""Compressed streams: gzip, bzip2, xz and zstd, within limits of bytes and memory."""

from __future__ import annotations

import bz2
import hashlib
import importlib
import lzma
import os
import zlib
from collections.abc import Callable
from functools import partial
from typing import IO, Any, Protocol

from ociwheel.errors import OciwheelError
from ociwheel.formats.guard import Guard
from ociwheel.formats.limits import CHUNK_BYTES

_INPUT_BYTES = 1 << 15
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_WINDOW_LOG = 26
# RFC 1952 for gzip, the xz file format 1.2, RFC 8878 for zstd; bzip2 has no specification but its source.
_MAGICS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", _ZSTD_MAGIC: ".zst"}


class Source(Protocol):
    """Bytes to decompress."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        ...


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """One member of a gzip file, with the interface that the other decompressors have."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail and not self._full

    def decompress(self, data: bytes, max_length: int) -> bytes:
        made = self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)
        self._full = len(made) == max_length
        return made


class _Blocks:
    """Reads a stream of one or more compressed members, one after the other."""

    def __init__(self, source: Source, make: Callable[[], _Decompressor], *, strict_end: bool) -> None:
        self._source = source
        self._make = make
        self._one = make()
        self._rest = b""
        self._strict_end = strict_end
        self._first = True

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        while True:
            if self._one.eof and not self._next():
                return b""
            data = b""
            if self._one.needs_input:
                data, self._rest = self._rest or self._source.read(_INPUT_BYTES), b""
                if not data:
                    raise EOFError("it ends in the middle")
            try:
                made = self._one.decompress(data, size)
            except (lzma.LZMAError, OSError):
                if self._first or self._strict_end:
                    raise
                return b""  # what follows a whole stream and is none: the tools ignore it
            if made:
                self._first = False
                return made

    def _next(self) -> bool:
        """Begin the next member; return whether there is one."""
        # Zeros between and behind members are padding of gzip and xz; nothing else begins with one.
        rest = self._one.unused_data.lstrip(b"\0")
        while not rest and (more := self._source.read(_INPUT_BYTES)):
            rest = more.lstrip(b"\0")
        if not rest:
            return False
        self._rest, self._first, self._one = rest, False, self._make()
        return True


class Unpacked:
    """What a file unpacks to: counted, hashed if asked for, and never more than its limits allow.

    :param size: bytes of the packed source.
    :param most: bytes that it may unpack to, where that is less than what the limits allow.
    """

    def __init__(self, source: Source, size: int, guard: Guard, most: int | None = None) -> None:
        self._source = source
        self._guard = guard
        self.packed = size
        self.most = guard.limits.unpacked(size)
        self._limit = "total_bytes" if self.most == guard.limits.total_bytes else "ratio"
        if most is not None and most < self.most:
            self.most, self._limit = most, "total_bytes"
        self.count = 0
        """Bytes that were given out."""
        self.hash: Any = None
        self._buffer = b""
        self._at = 0
        self._made = 0

    def with_hash(self) -> Unpacked:
        """Hash what is read, with SHA-256; the whole once it was read to its end."""
        self.hash = hashlib.sha256()
        return self

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the end only.

        :raises OciwheelError: it is damaged, or beyond a limit.
        """
        end = self._at + size
        if end > len(self._buffer):
            self._fill(size)
            end = min(size, len(self._buffer))
        data = self._buffer[self._at : end]
        self._at = end
        self.count += len(data)
        return data

    def _fill(self, size: int) -> None:
        """Have ``size`` bytes in the buffer, fewer at the end only."""
        parts = [self._buffer[self._at :]]
        left = size - len(parts[0])
        while left > 0:
            with self._guard.reading():
                data = self._source.read(CHUNK_BYTES)
            if not data:
                break
            self._made += len(data)
            if self._made > self.most:
                raise self._too_much()
            if self.hash is not None:
                self.hash.update(data)
            parts.append(data)
            left -= len(data)
        self._buffer, self._at = b"".join(parts), 0

    def expect(self, size: int) -> None:
        """Make sure that ``size`` more bytes are within the limits.

        :raises OciwheelError: they are not.
        """
        if self.count + size > self.most:
            raise self._too_much()

    def _too_much(self) -> OciwheelError:
        return self._guard.too_much(f"it has more than {self.most} bytes unpacked", self._limit)

    def drain(self) -> None:
        """Read what is left."""
        while self.read(CHUNK_BYTES):
            pass


def open_stream(
    file: Source, size: int, guard: Guard, *, suffix: str | None = None, most: int | None = None
) -> Unpacked:
    """Return what a file unpacks to.

    :param suffix: how it is compressed (``.gz``, ``.bz2``, ``.xz``, ``.zst``, empty for not at all);
        without one, what it begins with tells.
    :param size: its bytes.
    :param most: bytes that it may unpack to, beside what the limits allow.
    :raises OciwheelError: nothing here reads zstd.
    """
    start = b""
    if suffix is None:
        start = file.read(6)
        suffix = next((name for magic, name in _MAGICS.items() if start.startswith(magic)), "")
    source = _Prefixed(start, file) if start else file
    return Unpacked(_decompressed(source, suffix, size, guard), size, guard, most)


def open_file(file: IO[bytes], guard: Guard, *, most: int | None = None) -> Unpacked:
    """Return what an open file unpacks to, as :func:`open_stream` does."""
    return open_stream(file, os.fstat(file.fileno()).st_size, guard, most=most)


class _Prefixed:
    """A source whose first bytes were read already."""

    def __init__(self, start: bytes, source: Source) -> None:
        self._start = start
        self._source = source

    def read(self, size: int, /) -> bytes:
        if self._start:
            data, self._start = self._start[:size], self._start[size:]
            return data
        return self._source.read(size)


def _decompressed(source: Source, suffix: str, size: int, guard: Guard) -> Source:
    if suffix == ".gz":
        return _Blocks(source, _Gzip, strict_end=True)
    if suffix == ".bz2":
        return _Blocks(source, bz2.BZ2Decompressor, strict_end=False)
    if suffix == ".xz":
        memory = guard.limits.decompressor(size)
        return _Blocks(source, partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memory), strict_end=False)
    return _zstd(source, guard) if suffix == ".zst" else source


def _zstd(source: Source, guard: Guard) -> Source:
    for name in ("compression.zstd", "zstandard"):
        try:
            module: Any = importlib.import_module(name)
        except ImportError:
            continue
        if name == "zstandard":
            unpacker = module.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG)
            stream: Source = unpacker.stream_reader(source, read_size=_INPUT_BYTES, read_across_frames=True)
            return stream
        options = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        return _Blocks(source, partial(module.ZstdDecompressor, options=options), strict_end=True)
    raise _no_zstd(guard)


def _no_zstd(guard: Guard) -> OciwheelError:
    return guard.error(
        f"{guard.prefix}is compressed with zstd, and zstandard is not in the toolbox",
        where=guard.where,
        hint="by hand, run the step `toolbox` with `--with zstd`, or use Python 3.14 or later",
    )
