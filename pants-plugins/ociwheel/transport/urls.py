"""URLs of others, taken apart without surprises."""

from __future__ import annotations

import string
import urllib.parse

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
