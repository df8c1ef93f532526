"""Who may see which password: credentials belong to one origin (scheme, host and port)."""

from __future__ import annotations

import base64
import netrc
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ociwheel import process
from ociwheel.errors import ToolError
from ociwheel.notes import note
from ociwheel.transport.settings import NetworkSettings, host_of
from ociwheel.transport.urls import Login, split_url, split_userinfo

Keyring = Callable[[str, str], "Login | None"]


def origin_of(url: str) -> tuple[str, str]:
    """Return what credentials belong to: the scheme and the host with its port."""
    return split_url(url).scheme.lower(), host_of(url)


def basic(login: Login) -> str:
    """Return an ``Authorization`` value (RFC 7617)."""
    return "Basic " + base64.b64encode(":".join(login).encode()).decode("ascii")


def ask_keyring(url: str, user: str, environ: Mapping[str, str] = os.environ) -> Login | None:
    """Ask the ``keyring`` command, as pip's subprocess provider does, for one password."""
    program = shutil.which("keyring", path=environ.get("PATH", os.defpath))
    if program is None or not user:
        return None
    try:
        done = process.run([program, "get", url, user], env={**environ, "PYTHONIOENCODING": "utf-8"})
    except (ToolError, OSError):
        return None
    password = done.stdout.rstrip("\r\n")
    return (user, password) if done.returncode == 0 and password else None


class Credentials:
    """Finds the login for a URL, first the URL's own, then an index's, then netrc's."""

    def __init__(self, urls: Iterable[str], netrc_file: Path | None, keyring: Keyring | None) -> None:
        self._logins: dict[tuple[str, str], Login] = {}
        for url in urls:
            login = split_userinfo(url)[1]
            if login:
                self._logins.setdefault(origin_of(url), login)
        self._netrc = _read_netrc(netrc_file)
        self._keyring = keyring

    @classmethod
    def of(cls, settings: NetworkSettings) -> Credentials:
        """Return the credentials that ``settings`` name."""
        mirrors = [url for urls in settings.debian_mirrors.values() for url in urls]
        urls = [*settings.indexes, *settings.find_links, *mirrors]
        return cls(urls, settings.netrc, ask_keyring if settings.keyring else None)

    def login(self, url: str) -> Login | None:
        """Return the login to send with the first request to ``url``."""
        own = split_userinfo(url)[1]
        if own and own[1]:
            return own
        known = self._logins.get(origin_of(url))
        if known and known[1]:
            return known
        host = split_url(url).hostname or ""
        found = self._netrc.authenticators(host) if self._netrc else None
        if found:
            return (found[0] or "", found[2] or "")
        return own or known

    def after_refusal(self, url: str) -> Login | None:
        """Return what the keyring has for a URL that answered 401, and remember it."""
        if self._keyring is None:
            return None
        login = self.login(url)
        clean = split_userinfo(url)[0]
        user = login[0] if login else "__token__"
        for service in (clean, split_url(clean).netloc):
            found = self._keyring(service, user)
            if found:
                self._logins[origin_of(url)] = found
                return found
        return None


def _read_netrc(path: Path | None) -> netrc.netrc | None:
    if path is None:
        return None
    try:
        return netrc.netrc(str(path))
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as e:
        # The parser's own text may quote a line, and so a password.
        note(f"the logins in {path} are not used: it cannot be read ({type(e).__name__})")
        return None
