"""Who asks mirrors for steps, and how a file of one is read: over the network, or from a folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ociwheel.debian.archive_client import ArchiveClient
from ociwheel.debian.release import default_keyrings
from ociwheel.errors import FetchError
from ociwheel.reading import bytes_of
from ociwheel.transport.failure import Failure
from ociwheel.transport.network import Network
from ociwheel.transport.settings import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ociwheel.debian.archive_client import Opener
    from ociwheel.transport.settings import NetworkSettings


def add_keyrings(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names the keys of a step which asks mirrors."""
    parser.add_argument(
        "--keyring",
        type=Path,
        action="append",
        default=[],
        help="a binary OpenPGP keyring to trust instead of the Debian archive's keys; may be repeated",
    )


def archive_client(keyrings: Sequence[Path]) -> ArchiveClient:
    """Return who asks the machine's mirrors.

    :param keyrings: to trust; without any, the Debian archive's.
    """
    settings = load()
    return ArchiveClient(
        opener=opener(settings),
        mirrors=settings.debian_mirrors,
        keyrings=tuple(keyrings) or default_keyrings(),
        now=datetime.now(UTC),
    )


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
    path = Path(unquote(url.removeprefix("file://").removeprefix("file:")))
    try:
        return bytes_of(path, most)
    except OSError as e:
        raise FetchError(f"the mirror does not give it: {e.strerror}", where=url) from e
    except ValueError as e:
        raise FetchError(f"the mirror does not give it: it {e}", where=url) from e
