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
from typing import IO

from ociwheel.errors import FetchError
from ociwheel.fetch.index import local_path
from ociwheel.fetch.network import Failure, Kind, Network, Response, copy_chunks

_CHUNK = 1 << 18


class WrongContentError(Exception):
    """A file whose bytes are not the locked ones."""

    def __init__(self, url: str, sha256: str, size: int) -> None:
        super().__init__(url)
        self.sha256 = sha256
        self.size = size


@dataclass(frozen=True)
class Downloaded:
    """A file on disk."""

    path: Path
    sha256: str
    size: int
    """Bytes."""


def _local_chunks(url: str, file: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from iter(lambda: file.read(_CHUNK), b"")
    except OSError as e:
        raise Failure(Kind.ANSWER, url, f"cannot be read: {e.strerror}") from e


def _fill(network: Network, url: str, sink: IO[bytes]) -> tuple[str, int]:
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
            return copy(response.chunks(_CHUNK))

        result: tuple[str, int] = network.get(url, use)
        return result
    try:
        with local_path(url).open("rb") as file:
            return copy(_local_chunks(url, file))
    except FileNotFoundError:
        raise Failure(Kind.NOT_FOUND, url, "is not there") from None


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
    network: Network, url: str, path: Path, *, sha256: str | None, size: int | None = None
) -> Downloaded:
    """Write what ``url`` has to ``path``.

    :param sha256: the hash it must have; None accepts any.
    :param size: the size it must have, bytes; None accepts any.
    :raises Failure: the place does not give it.
    :raises WrongContentError: it gives something else; ``path`` is then untouched.
    :raises FetchError: the disk does not take it.
    """
    try:
        with _partial(path) as (sink, publish):
            found, length = _fill(network, url, sink)
            if (sha256 is not None and found != sha256) or (size is not None and size != length):
                raise WrongContentError(url, found, length)
            sink.close()
            publish()
    except OSError as e:
        raise _disk_error(e, path) from e
    return Downloaded(path, found, length)
