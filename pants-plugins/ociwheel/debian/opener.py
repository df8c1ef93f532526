"""How a file of a mirror is read: over the network, or from a folder that is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import url2pathname

from ociwheel.errors import FetchError
from ociwheel.reading import bytes_of
from ociwheel.transport.failure import Failure
from ociwheel.transport.network import Network

if TYPE_CHECKING:
    from ociwheel.debian.archive_client import Opener
    from ociwheel.transport.settings import NetworkSettings


def opener(settings: NetworkSettings) -> Opener:
    """Return what reads a URL of a mirror, with the machine's proxies, certificates and credentials."""
    network = Network(settings)

    def read(url: str, most: int) -> bytes:
        if url.startswith("file:"):
            return _read_file(url, most)
        try:
            body: bytes = network.get(url, lambda response: response.read(most))
        except Failure as e:
            raise FetchError(f"the mirror does not give it: {e.answer}", where=url) from e
        return body

    return read


def _read_file(url: str, most: int) -> bytes:
    path = Path(url2pathname(url.removeprefix("file://").removeprefix("file:")))
    try:
        return bytes_of(path, most)
    except OSError as e:
        raise FetchError(f"the mirror does not give it: {e.strerror}", where=url) from e
    except ValueError as e:
        raise FetchError(f"the mirror does not give it: it {e}", where=url) from e
