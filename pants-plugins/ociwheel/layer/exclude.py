"""Which files of a wheel or source tree the user does not want."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def excluded(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether a file is left out.

    :param path: relative to site-packages, or to the prefix for what lies elsewhere.
    :param patterns: shell patterns. One without a slash is matched against the file's name; one
        with a slash against the whole path, where ``*`` also matches slashes.
    """
    name = path.rpartition("/")[2]
    return any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns)
