"""Which mirrors have a suite. No host name goes into a lock: a lock names the archive only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ociwheel.errors import BaseError
from ociwheel.remedies import Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def archive_of_suite(suite: str) -> str:
    """Return the archive that holds a suite, by Debian's naming of suites."""
    return "debian-security" if suite.endswith("-security") else "debian"


def archive_mirrors(archive: str, known: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the base URLs of one archive's mirrors, best first.

    :param known: mirrors by archive: the owner's option, or the machine's own apt sources.
    :raises BaseError: none is known.
    """
    urls = [url.rstrip("/") for url in known.get(archive, ())]
    if not urls and archive == "debian-security":
        # Most mirrors keep the two archives side by side.
        main = (url.rstrip("/") for url in known.get("debian", ()))
        urls = [f"{url.rpartition('/')[0]}/debian-security" for url in main if url.endswith("/debian")]
    if not urls:
        raise BaseError(
            f"no mirror of the archive {archive!r} is known on this machine",
            hint=Remedy("name-mirrors", {"archive": archive}),
        )
    return tuple(dict.fromkeys(urls))
