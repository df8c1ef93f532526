"""Writing what is downloaded: streamed, hashed on the way, complete or not there at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from ociwheel.errors import FetchError
from ociwheel.transport.connection import MAX_FILE, Response, copy_chunks
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.urls import local_path

_CHUNK = 1 << 18


class WrongContentError(Exception):
    """A file whose bytes are not the locked ones."""

    def __init__(self, url: str, sha256: str, size: int, most: int) -> None:
        """Take what came: a ``size`` that is larger than ``most`` was cut there."""
        super().__init__(url)
        self.sha256 = sha256
        self.size = size
        self._most = most

    @property
    def brief(self) -> str:
        """What came instead, without a size that is right."""
        return str(self) if self.size > self._most else f"SHA-256 {self.sha256}"

    def __str__(self) -> str:
        """Return what came instead, in words."""
        if self.size > self._most:
            return f"more than {self._most} bytes"
        return f"{self.size} bytes with SHA-256 {self.sha256}"


class Reader(Protocol):
    """What reads URLs: an index client's network, or a registry's client."""

    def get(self, url: str, use: Callable[[Response], Any]) -> Any:
        """Return what ``use`` makes of an answer.

        :raises Failure: there is none.
        """


@dataclass(frozen=True)
class Downloaded:
    """A file on disk."""

    path: Path
    sha256: str
    size: int
    """Bytes."""


def _local_chunks(url: str, file: IO[bytes], most: int) -> Iterator[bytes]:
    done = 0
    try:
        while done <= most and (chunk := file.read(_CHUNK)):
            done += len(chunk)
            yield chunk
    except OSError as e:
        raise Failure(Kind.ANSWER, url, f"cannot be read: {e.strerror}") from e


def _fill(reader: Reader, url: str, sink: IO[bytes], most: int) -> tuple[str, int]:
    """Write what ``url`` has to ``sink`` and return its SHA-256 and size."""

    def copy(chunks: Iterator[bytes]) -> tuple[str, int]:
        sink.seek(0)
        sink.truncate()
        digest = hashlib.sha256()
        size = copy_chunks(chunks, sink, digest.update)
        sink.flush()
        return digest.hexdigest(), size

    if not url.startswith("file:"):

        def use(response: Response) -> tuple[str, int]:
            return copy(response.chunks(_CHUNK, most=most))

        result: tuple[str, int] = reader.get(url, use)
        return result
    try:
        with local_path(url).open("rb") as file:
            return copy(_local_chunks(url, file, most))
    except FileNotFoundError:
        raise Failure(Kind.NOT_FOUND, url, "is not there") from None
    except (IsADirectoryError, PermissionError, ValueError) as e:
        raise Failure(Kind.ANSWER, url, "is no file that can be read") from e


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], None]]]:
    """Give a file beside ``path``, and a function that gives it the name ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)

    def publish() -> None:
        # Modes must not depend on the umask; mkstemp's is 0600.
        os.chmod(name, 0o644)
        os.replace(name, path)

    try:
        with os.fdopen(handle, "w+b") as sink:
            yield sink, publish
    finally:
        Path(name).unlink(missing_ok=True)


def _disk_error(error: OSError, path: Path) -> FetchError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FetchError(
            "no space left on the disk", where=str(path.parent), hint="free some space, then try again"
        )
    return FetchError(f"cannot write it: {error.strerror}", where=str(path))


def download(
    reader: Reader,
    url: str,
    path: Path,
    *,
    sha256: str | None,
    size: int | None = None,
    most: int | None = None,
) -> Downloaded:
    """Write what ``url`` has to ``path``; stop at the first byte that is one too many.

    :param sha256: the hash it must have; None accepts any.
    :param size: the size it must have, bytes; None accepts any.
    :param most: bytes that it may have, where its size is not known.
    :raises Failure: the place does not give it.
    :raises WrongContentError: it gives something else; ``path`` is then untouched.
    :raises FetchError: the disk does not take it.
    """
    limit = size if size is not None else most
    try:
        with _partial(path) as (sink, publish):
            found, length = _fill(reader, url, sink, MAX_FILE if limit is None else limit)
            differs = sha256 is not None and found != sha256
            if differs or (size is not None and size != length):
                raise WrongContentError(url, found, length, MAX_FILE if limit is None else limit)
            sink.close()
            publish()
    except OSError as e:
        raise _disk_error(e, path) from e
    return Downloaded(path, found, length)
