"""Which files of a wheel or source tree are not shipped."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

# What only a compiler, a linker or another operating system reads, and archives of other wheels.
# Not here on purpose: *.pyi (lazy_loader reads stubs at run time), tests (numpy.testing and its
# like are imported by others), *.dist-info (importlib.metadata).
DEFAULT_EXCLUDES = (
    "*.a", "*.la", "*.h", "*.hh", "*.hpp", "*.hxx", "*.pxd", "*.whl", "*.exe", "*.pyd", "*.pdb",
)  # fmt: skip


def excluded(path: str, patterns: Sequence[str], keep: Sequence[str] = ()) -> bool:
    """Tell whether a file is left out.

    :param path: relative to site-packages, or to the prefix for what lies elsewhere.
    :param patterns: shell patterns. One without a slash is matched against the file's name; one
        with a slash against the whole path, where ``*`` also matches slashes.
    :param keep: patterns of files that stay whatever ``patterns`` say.
    """
    return _any(path, patterns) and not _any(path, keep)


def _any(path: str, patterns: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns)
