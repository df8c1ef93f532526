"""Fetches the crates that a build lock names from the registry that cargo is configured with.

Formats: the cargo book, "Registry Index" (``config.json`` and the template ``dl``).
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ociwheel.build.crates import Crate
from ociwheel.errors import FetchError
from ociwheel.reading import DocumentLimits, failing, from_json
from ociwheel.transport.cargo_config import CrateSource
from ociwheel.transport.download import WrongContentError, download
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for
from ociwheel.transport.network import Network

_MOST_CRATE = 64 << 20
"""Bytes of a crate: registries take a sixth of that."""
_AT_ONCE = 8
_CONFIG = DocumentLimits(size=1 << 16)
_MOST_TOLD = 5


def fetch_crates(network: Network, source: CrateSource, crates: Sequence[Crate], output: Path) -> int:
    """Write crates to a folder, each as ``name-version.crate``, and return their bytes.

    :raises FetchError: the registry does not give all of them, with the locked content.
    """
    try:
        template = _template(network, source)
    except Failure as e:
        raise FetchError(
            "its crates are not in the sdist, and the crates registry cannot be reached; builds have no "
            "network",
            where="crates",
            details=[f"{e} ({source.origin})"],
            hint=hint_for([e] if e.kind is not Kind.NOT_FOUND else [], _NO_REGISTRY),
        ) from e

    def fetch(crate: Crate) -> int | str:
        url = crate_url(template, crate)
        try:
            done = download(network, url, output / crate.filename, sha256=crate.sha256, most=_MOST_CRATE)
        except Failure as e:
            return f"{crate.key}: {e}"
        except WrongContentError as e:
            return f"{crate.key}: {url} has it with {e.brief}, locked is {crate.sha256}"
        return done.size

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = list(threads.map(fetch, crates))
    _check(found)
    return sum(size for size in found if isinstance(size, int))


_NO_REGISTRY = (
    "use a version that has a wheel for this platform, an sdist made with `cargo vendor`, or name a mirror "
    "in cargo's config.toml: [source.crates-io] replace-with"
)


def _check(found: Iterable[int | str]) -> None:
    failed = [said for said in found if isinstance(said, str)]
    if failed:
        more = len(failed) - _MOST_TOLD
        raise FetchError(
            f"the crates registry does not give {len(failed)} of the locked crates",
            where="crates",
            details=[*failed[:_MOST_TOLD], *([f"… and {more} more"] if more > 0 else [])],
            hint=_NO_REGISTRY,
        )


def _template(network: Network, source: CrateSource) -> str:
    url = urllib.parse.urljoin(source.index, "config.json")
    data: Any = network.get(url, lambda response: response.read(_CONFIG.size, "configuration"))
    document = from_json(data, failing(FetchError, url), _CONFIG)
    dl = document.at("dl").text(most=2000)
    if not dl.startswith(("http://", "https://")):
        raise document.at("dl").error("expected a URL of http or https")
    return dl if "{" in dl else f"{dl}/{{crate}}/{{version}}/download"


def crate_url(template: str, crate: Crate) -> str:
    """Return where a crate is, by a registry's template."""
    prefix = _prefix(crate.name)
    values = {
        "{crate}": crate.name,
        "{version}": urllib.parse.quote(crate.version, safe=""),
        "{prefix}": prefix,
        "{lowerprefix}": prefix.lower(),
        "{sha256-checksum}": crate.sha256,
    }
    for marker, value in values.items():
        template = template.replace(marker, value)
    return template


def _prefix(name: str) -> str:
    if len(name) < 3:
        return str(len(name))
    return f"3/{name[0]}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}"
