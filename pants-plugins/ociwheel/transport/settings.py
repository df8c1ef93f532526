"""Where this machine downloads from: ``machine/network.json``, and pip's and apt's own settings.

None of it is part of any cache key: artifacts are named by their hash.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ociwheel.documents import read_value
from ociwheel.notes import note
from ociwheel.reading import Value
from ociwheel.transport import apt_sources, pip_config
from ociwheel.transport.pace import Pace
from ociwheel.transport.pip_config import PipConfig
from ociwheel.transport.urls import split_url

DEFAULT_TIMEOUT = 60.0


@dataclass(frozen=True)
class NetworkSettings:
    """Everything a download needs to know of the machine it runs on."""

    indexes: tuple[str, ...] = ()
    """Simple-index URLs, in order; ``user:password@`` is kept."""
    find_links: tuple[str, ...] = ()
    """Folders, ``file://`` URLs or pages with links to artifacts."""
    proxies: Mapping[str, str] = field(default_factory=dict)
    """``http``, ``https``: proxy URLs; ``no``: hosts that go without."""
    ca_bundle: Path | None = None
    netrc: Path | None = None
    debian_mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trusted_hosts: frozenset[str] = frozenset()
    """``host`` or ``host:port`` whose certificate is not checked, as pip's ``trusted-host``."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds without a byte before a connection counts as dead."""
    pace: Pace = field(default_factory=Pace)
    """How slow an answer may be."""
    keyring: bool = True
    """Whether the ``keyring`` command may be asked when a server wants credentials."""
    origin: str = "pip's configuration"
    """What named the indexes, for messages."""


def _path(value: Value) -> Path | None:
    text = value.text() if value.raw is not None else ""
    return Path(text).expanduser() if text else None


def _indexes(pip: PipConfig, default: str | None) -> tuple[str, ...]:
    if pip.flag("no-index"):
        return ()
    first = pip.text("index-url") or default
    return tuple(dict.fromkeys([*([first] if first else []), *pip.words("extra-index-url")]))


def _proxies(pip: PipConfig, environ: Mapping[str, str]) -> dict[str, str]:
    proxies = _system_proxies() if sys.platform == "darwin" else {}
    proxies |= _env_proxies(environ)
    if "all" in proxies:
        proxies.setdefault("http", proxies["all"])
        proxies.setdefault("https", proxies["all"])
    own = pip.text("proxy")
    if own:
        own = own if "://" in own else f"http://{own}"
        proxies |= {"http": own, "https": own}
    return proxies


def _system_proxies() -> dict[str, str]:
    """Return what counts on macOS where the environment names none."""
    from urllib.request import getproxies  # noqa: PLC0415 (it imports much, and only macOS has settings)

    return dict(getproxies())


def _env_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    proxies: dict[str, str] = {}
    for name in sorted(environ, key=str.islower):  # as in urllib and curl, lower case wins
        kind = name.lower().removesuffix("_proxy")
        if name.lower() == f"{kind}_proxy" and kind in ("http", "https", "all", "no") and environ[name]:
            proxies[kind] = environ[name]
    return proxies


def _ca_bundle(pip: PipConfig, environ: Mapping[str, str]) -> Path | None:
    named = pip.text("cert")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        named = named or environ.get(name)
    return Path(named).expanduser() if named else None


def _timeout(pip: PipConfig) -> float:
    try:
        return max(1.0, float(pip.text("timeout") or pip.text("default-timeout") or DEFAULT_TIMEOUT))
    except ValueError:
        return DEFAULT_TIMEOUT


def _netrc(environ: Mapping[str, str]) -> Path | None:
    folder = pip_config.home(environ)
    path = Path(environ["NETRC"]) if environ.get("NETRC") else folder and folder / ".netrc"
    return path if path and path.is_file() else None


def from_machine(
    environ: Mapping[str, str], apt: Path = Path("/etc/apt"), default_index: str | None = None
) -> NetworkSettings:
    """Return what pip's and apt's configuration say."""
    pip, notes = pip_config.read(environ)
    for text in notes:
        note(text)
    return NetworkSettings(
        indexes=_indexes(pip, None if pip.text("index-url") else default_index or pip_config.default_index()),
        find_links=pip.words("find-links"),
        proxies=_proxies(pip, environ),
        ca_bundle=_ca_bundle(pip, environ),
        netrc=_netrc(environ),
        debian_mirrors=apt_sources.mirrors(apt_sources.read_sources(apt)),
        trusted_hosts=frozenset(pip.words("trusted-host")),
        timeout=_timeout(pip),
        keyring=pip.text("keyring-provider") != "disabled",
        origin=", ".join(pip.files) or "pip's configuration",
    )


def _overrides(value: Value) -> dict[str, Any]:
    """Return the fields that a ``network.json`` sets, checked."""
    given = value.members()
    result: dict[str, Any] = {key: given[key].texts() for key in ("indexes", "find_links") if key in given}
    result |= {key: _path(given[key]) for key in ("ca_bundle", "netrc") if key in given}
    if "proxies" in given:
        proxies = given["proxies"].members()
        result["proxies"] = {key: item.text() for key, item in proxies.items() if item.raw}
    if "debian_mirrors" in given:
        result["debian_mirrors"] = {
            name: tuple(url.rstrip("/") for url in urls.texts())
            for name, urls in given["debian_mirrors"].members().items()
        }
    return result


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of the user's environment that a program which downloads may read.

    :raises UsageError: ``network.json`` is malformed.
    """
    folder = environ.get("OCIWHEEL_MACHINE")
    path = Path(folder) / "network.json" if folder else None
    if path is None or not path.is_file():
        return dict(environ)
    passed = read_value(path, label="network.json").optional("env", Value.text_members) or {}
    return {**environ, **passed}


def load(environ: Mapping[str, str] = os.environ) -> NetworkSettings:
    """Return the settings of this machine.

    A key that ``$OCIWHEEL_MACHINE/network.json`` has wins; an absent one comes from
    :func:`from_machine`. Its ``env`` holds variables of the user's environment that a sandbox does
    not have, its ``default_index`` the index where nothing else names one.

    :raises UsageError: ``network.json`` is malformed.
    """
    folder = environ.get("OCIWHEEL_MACHINE")
    path = Path(folder) / "network.json" if folder else None
    if path is None or not path.is_file():
        return from_machine(environ)
    value = read_value(path, label="network.json")
    passed = value.optional("env", Value.text_members) or {}
    base = from_machine({**passed, **environ}, default_index=value.optional("default_index", Value.text))
    fields = _overrides(value)
    mirrors = {**base.debian_mirrors, **fields.pop("debian_mirrors", {})}
    if "indexes" in fields:
        fields["origin"] = "network.json"
    values = {**vars(base), **fields, "debian_mirrors": mirrors}
    return NetworkSettings(**values)


def host_of(url: str) -> str:
    """Return the host of a URL with its port when it is not the scheme's own, lower case."""
    parts = split_url(url)
    host, port = (parts.hostname or "").lower(), parts.port
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return host if port in (None, default) else f"{host}:{port}"
