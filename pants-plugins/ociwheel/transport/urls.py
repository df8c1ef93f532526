"""URLs of others, taken apart without surprises."""

from __future__ import annotations

import string
import urllib.parse
from pathlib import Path

Login = tuple[str, str]
"""A user and a password."""

_NONE = urllib.parse.urlsplit("")


def split_url(url: str) -> urllib.parse.SplitResult:
    """Return the parts of a URL; what is none has empty parts."""
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError:
        return _NONE
    return parts


def join_url(base: str, location: str) -> str | None:
    """Return where ``location`` leads from ``base``, or None when it is no URL."""
    try:
        # RFC 3986 2: a URL is of ASCII characters alone; servers send others all the same.
        return urllib.parse.urljoin(base, urllib.parse.quote(location, safe=string.punctuation))
    except ValueError:
        return None


def split_userinfo(url: str) -> tuple[str, Login | None]:
    """Return ``url`` without its ``user:password@``, and the two, percent-decoded."""
    parts = split_url(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = userinfo.partition(":")
    login = (urllib.parse.unquote(user), urllib.parse.unquote(password))
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), login


def local_path(url: str) -> Path:
    """Return the path that a ``file://`` URL names."""
    return Path(urllib.parse.unquote(split_url(url).path))
