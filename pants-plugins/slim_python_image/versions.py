"""Which versions of Pants this backend works with."""

from __future__ import annotations

from pants.base.exceptions import BackendConfigurationError
from pants.version import VERSION

SUPPORTED = "2.17.1, and 2.30 or later"
"""As messages and docs say it."""

# 2.17 is the last that package indexes have. 2.29's rule parser drops calls of rules further below.
_OLD = (2, 17)
_FIRST = (2, 30)


def minor_version(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version: ``(2, 30)`` of ``2.30.3rc0``."""
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def check_version(version: str) -> None:
    """Raise when the backend does not work with a version of Pants.

    :raises BackendConfigurationError: in one line, what works and what to do.
    """
    found = minor_version(version)
    if found != _OLD and found < _FIRST:
        raise BackendConfigurationError(
            f"slim_python_image works with Pants {SUPPORTED}, and this is Pants {version}: set "
            "[GLOBAL].pants_version to one of those; no release of slim_python_image serves those between"
        )


PANTS_217 = minor_version(VERSION) == _OLD
"""Whether this is Pants 2.17, whose engine knows no call by name."""

CONSTRAINTS_OF_RESOLVES = minor_version(VERSION) >= (2, 31)
"""Whether the default of interpreter constraints may be that of a resolve."""
PUBLISH_ASKS_FIRST = minor_version(VERSION) >= (2, 32)
"""Whether `publish` asks what need not be built."""
