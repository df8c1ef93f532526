"""Package URLs. Specification: ECMA-427 (package-url), with the types cargo, deb, oci and pypi."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

# "A canonical purl [...] percent-encoded": but for these, every character of a name or a version is.
_PLAIN = ".-_~:"


def purl(
    kind: str, name: str, version: str, *, namespace: str = "", qualifiers: Mapping[str, str] | None = None
) -> str:
    """Return a package URL.

    :param qualifiers: empty ones are left out.
    """
    place = f"{_quoted(namespace)}/" if namespace else ""
    pairs = sorted((key, value) for key, value in (qualifiers or {}).items() if value)
    query = "&".join(f"{key}={_quoted(value)}" for key, value in pairs)
    return f"pkg:{kind}/{place}{_quoted(name)}@{_quoted(version)}{'?' if query else ''}{query}"


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe=_PLAIN)
