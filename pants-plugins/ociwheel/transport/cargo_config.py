"""cargo's own configuration, read the way cargo reads it: where this machine gets crates from.

Format: the cargo book, "Configuration" and "Source Replacement". Who has told cargo of a mirror has told us.
Only a registry with a sparse index can be read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ociwheel.errors import FetchError
from ociwheel.reading import DocumentLimits, Value, failing
from ociwheel.reading_toml import read_toml
from ociwheel.transport.pip_config import home

SPARSE = "sparse+"
_DEFAULT_SOURCE = "crates-io"
_LIMITS = DocumentLimits(size=1 << 20)
_MOST_HOPS = 10
# What cargo asks where nothing is configured is its choice, not ours, so it is read from the locked cargo.
_IN_CARGO = re.compile(rb"sparse\+(https://[a-z0-9.-]{4,100}/)")


@dataclass(frozen=True)
class CrateSource:
    """Where crates come from.

    :param origin: what named it, for messages.
    """

    index: str
    """URL of a sparse index, which ends in a slash."""
    origin: str


def config_file(environ: Mapping[str, str]) -> Path | None:
    """Return cargo's configuration of this user, None where there is none."""
    own = environ.get("CARGO_HOME")
    folder = Path(own) if own else (user / ".cargo" if (user := home(environ)) else None)
    if folder is None:
        return None
    # cargo prefers the name without an ending where both are there.
    return next((folder / name for name in ("config", "config.toml") if (folder / name).is_file()), None)


def crate_source(environ: Mapping[str, str], cargo: Path) -> CrateSource:
    """Return where this machine gets the crates of cargo's default registry.

    :param environ: the process's environment.
    :param cargo: the locked cargo.
    :raises FetchError: it is configured in a way that cannot be followed here.
    """
    path = config_file(environ)
    configured = _replaced(path) if path else None
    if configured is not None:
        return configured
    found = _IN_CARGO.search(cargo.read_bytes()) if cargo.is_file() else None
    if found is None:
        raise FetchError(
            "nothing says where crates are, neither cargo's configuration nor the locked cargo",
            where="crates",
            hint="name a registry in ~/.cargo/config.toml: [source.crates-io] replace-with",
        )
    return CrateSource(found[1].decode(), "cargo's default")


def _replaced(path: Path) -> CrateSource | None:
    fail = failing(FetchError, str(path))
    document = read_toml(path, fail, _LIMITS)
    sources = document.optional("source", Value.members) or {}
    registries = document.optional("registries", Value.members) or {}
    name = _DEFAULT_SOURCE
    for _ in range(_MOST_HOPS):
        source = sources.get(name)
        if source is None:
            registry = registries.get(name) if name != _DEFAULT_SOURCE else None
            if registry is None and name != _DEFAULT_SOURCE:
                raise document.error(f"names the source {name}, which it does not define")
            return _sparse(registry.at("index"), path) if registry else None
        following = source.optional("replace-with", Value.text)
        if following is None:
            given = source.maybe("registry")
            if given is None and name != _DEFAULT_SOURCE:
                raise source.error("is no registry: crates can be fetched from one with a sparse index only")
            return _sparse(given, path) if given else None
        name = following
    raise document.error(f"replaces sources more than {_MOST_HOPS} times")


def _sparse(value: Value, path: Path) -> CrateSource:
    url = value.text()
    if not url.startswith((f"{SPARSE}http://", f"{SPARSE}https://")):
        raise value.error('is no sparse index ("sparse+https://…"), and no other can be read here')
    url = url.removeprefix(SPARSE)
    return CrateSource(url if url.endswith("/") else f"{url}/", str(path))
