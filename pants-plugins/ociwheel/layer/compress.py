"""Compressors whose bytes depend on their input only.

gzip: deflate by zlib-ng, pinned by the tools' lock. The input is cut into blocks of a fixed size;
each is compressed by itself, with the end of the block before it as dictionary, and ends on a byte
boundary. So blocks can be compressed side by side, and the result does not depend on how many
threads there are nor on how the caller cuts its writes.
"""

from __future__ import annotations

import importlib
import os
import zlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ociwheel.errors import ToolError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

BLOCK_BYTES = 1 << 20
# RFC 1951: a distance reaches at most 32 KiB back.
WINDOW_BYTES = 1 << 15
LEVEL = 6
ZSTD_LEVEL = 9
MOST_THREADS = 4
# RFC 1952: magic, deflate, no flags, no time, no hint on the level, unknown operating system.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# RFC 1951: a last block with fixed codes and nothing in it.
DEFLATE_END = b"\x03\x00"


class Compressor(Protocol):
    """Takes bytes, gives compressed bytes to the sink it was made with."""

    def write(self, data: bytes | memoryview) -> None:
        """Compress ``data``."""
        ...

    def finish(self) -> None:
        """Write what is left and the end mark."""
        ...

    def close(self) -> None:
        """Let go of threads, finished or not."""
        ...


def compressor(name: str, sink: Callable[[bytes], object]) -> tuple[Compressor, str]:
    """Return a compressor by name and the media type of a layer compressed with it.

    :raises UsageError: no such compressor, or it is not in the toolbox.
    """
    if name == "gzip":
        return Gzip(sink), "application/vnd.oci.image.layer.v1.tar+gzip"
    if name == "zstd":
        return Zstd(sink), "application/vnd.oci.image.layer.v1.tar+zstd"
    raise UsageError(f"unknown compression {name!r}", hint="use gzip or zstd")


def threads() -> int:
    """Return how many blocks to compress at the same time."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


def _pool(workers: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 (see where it is called)

    return ThreadPoolExecutor(workers)


class Gzip:
    """gzip (RFC 1952) by blocks."""

    def __init__(
        self,
        sink: Callable[[bytes], object],
        *,
        level: int = LEVEL,
        workers: int | None = None,
    ) -> None:
        self._zlib = _zlib_ng()
        self._sink = sink
        self._level = level
        self._workers = workers or threads()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[bytes]] = deque()
        self._block = bytearray()
        self._window = b""
        self._crc = 0
        self._length = 0
        sink(GZIP_HEADER)

    def write(self, data: bytes | memoryview) -> None:
        """Compress ``data``."""
        view = memoryview(data)
        while view:
            take = view[: BLOCK_BYTES - len(self._block)]
            self._block += take
            view = view[len(take) :]
            if len(self._block) == BLOCK_BYTES:
                self._cut()

    def finish(self) -> None:
        """Write the last block, the checksum and the length."""
        if self._block:
            self._cut()
        while self._pending:
            self._sink(self._pending.popleft().result())
        length = self._length & 0xFFFFFFFF
        self._sink(DEFLATE_END + self._crc.to_bytes(4, "little") + length.to_bytes(4, "little"))
        self.close()

    def close(self) -> None:
        """Let go of the threads."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _cut(self) -> None:
        block, window = bytes(self._block), self._window
        self._block.clear()
        self._window = block[-WINDOW_BYTES:]
        self._crc = zlib.crc32(block, self._crc)
        self._length += len(block)
        if self._pool is None:
            # Most layers are one block; what threads need is loaded for the others.
            if self._workers < 2 or len(block) < BLOCK_BYTES:
                self._sink(self._deflate(block, window))
                return
            self._pool = _pool(self._workers)
        self._pending.append(self._pool.submit(self._deflate, block, window))
        if len(self._pending) > 2 * self._workers:
            self._sink(self._pending.popleft().result())

    def _deflate(self, block: bytes, window: bytes) -> bytes:
        z = self._zlib
        options = {"zdict": window} if window else {}
        packer = z.compressobj(self._level, z.DEFLATED, -15, 8, z.Z_DEFAULT_STRATEGY, **options)
        result: bytes = packer.compress(block) + packer.flush(z.Z_SYNC_FLUSH)
        return result


class Zstd:
    """Zstandard, one frame, one thread."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        try:
            zstandard: Any = importlib.import_module("zstandard")
        except ImportError as e:
            raise UsageError(
                "compression zstd is not available: the toolbox has no zstandard", hint="use gzip"
            ) from e
        self._sink = sink
        # Chunks of a fixed size: how the input is cut must not show in the output.
        self._chunker = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).chunker(
            chunk_size=BLOCK_BYTES
        )
        self._block = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        """Compress ``data``."""
        self._block += data
        while len(self._block) >= BLOCK_BYTES:
            for piece in self._chunker.compress(bytes(self._block[:BLOCK_BYTES])):
                self._sink(piece)
            del self._block[:BLOCK_BYTES]

    def finish(self) -> None:
        """Write what is left and end the frame."""
        for piece in (*self._chunker.compress(bytes(self._block)), *self._chunker.finish()):
            self._sink(piece)

    def close(self) -> None:
        """Nothing to let go of."""


def _zlib_ng() -> Any:
    try:
        return importlib.import_module("zlib_ng.zlib_ng")
    except ImportError as e:
        # Never the interpreter's own zlib instead: its bytes differ, and so would every digest.
        raise ToolError(
            "the pinned compressor zlib_ng is not in the toolbox for this interpreter",
            hint="run the step `toolbox` on this kind of machine, or add its wheel to tools.lock",
        ) from e
