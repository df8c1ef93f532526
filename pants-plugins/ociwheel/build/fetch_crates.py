"""Fetches the crates that a build lock names from the registry that cargo is configured with.

Formats: the cargo book, "Registry Index" (``config.json`` and the template ``dl``).
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel.build.crates import Crate
from ociwheel.errors import FetchError
from ociwheel.reading import DocumentLimits, failing, from_json
from ociwheel.remedies import Remedy
from ociwheel.transport.cargo_config import CrateSource
from ociwheel.transport.download import WrongContentError, download
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for
from ociwheel.transport.network import Network
from ociwheel.transport.urls import split_userinfo
from ociwheel.wording import shown

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
            hint=hint_for([e], _NO_REGISTRY, _HINTS),
        ) from e

    def fetch(crate: Crate) -> int | _Refused:
        url = crate_url(template, crate)
        try:
            done = download(network, url, output / crate.filename, sha256=crate.sha256, most=_MOST_CRATE)
        except Failure as e:
            return _Refused(f"{crate.key}: {e}", e)
        except WrongContentError as e:
            place = shown(split_userinfo(url)[0])
            return _Refused(f"{crate.key}: {place} has it with {e.brief}, locked is {crate.sha256}")
        return done.size

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = list(threads.map(fetch, crates))
    _check(found)
    return sum(size for size in found if isinstance(size, int))


@dataclass(frozen=True)
class _Refused:
    """Why a crate was not taken, in words."""

    said: str
    failure: Failure | None = None
    """None where its content is not the locked one."""


_MIRROR = "name a mirror in cargo's config.toml: [source.crates-io] replace-with"
_NO_REGISTRY = (
    f"use a version that has a wheel for this platform, an sdist made with `cargo vendor`, or {_MIRROR}"
)
_HINTS: Mapping[Kind, str | Remedy] = {
    Kind.CREDENTIALS: "give credentials: a line `machine HOST login USER password PASSWORD` in ~/.netrc "
    f"(tokens of cargo are not read), or {_MIRROR}",
    Kind.UNREACHABLE: "check the network of this machine, then try again; or use a version that has a wheel "
    f"for this platform, an sdist made with `cargo vendor`, or {_MIRROR}",
    Kind.SERVER: f"the registry is in trouble: try again later, or {_MIRROR}",
    Kind.ANSWER: f"check that the URL is that of a registry with a sparse index, or {_MIRROR}",
}


def _check(found: Iterable[int | _Refused]) -> None:
    refused = [one for one in found if isinstance(one, _Refused)]
    if not refused:
        return
    more = len(refused) - _MOST_TOLD
    failures = [one.failure for one in refused if one.failure]
    raise FetchError(
        f"the crates registry does not give {len(refused)} of the locked crates",
        where="crates",
        details=[*(one.said for one in refused[:_MOST_TOLD]), *([f"… and {more} more"] if more > 0 else [])],
        hint=hint_for(failures, _NO_REGISTRY, _HINTS) if failures else Remedy("file-differs"),
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
