"""The root file system of containers that compile for their own platform: never shipped, made without root.

Packages are unpacked as for an image, without maintainer scripts, but with headers, static libraries and the
few links that those scripts would have made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ociwheel.base.deb_layer import bytecode_entries
from ociwheel.base.merge import merge
from ociwheel.base.rootfs import rootfs_entries
from ociwheel.errors import BaseError
from ociwheel.image.users import NONROOT
from ociwheel.layer.writer import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ociwheel.debian.deb import Package
    from ociwheel.target import Target

BUILD = "build"
"""The folder of the build: inputs go to ``in``, the wheel comes from ``out``."""

_DROPPED = re.compile(
    r"usr/share/(?:man|info|locale|lintian|bug|doc|doc-base|menu|perl5|gdb)(?:/.*)?"
    r"|etc/(?:init\.d|default|logrotate\.d|cron\.[a-z]+)(?:/.*)?"
    r"|usr/lib/[^/]+/gconv/(?!gconv-modules|UTF|UNICODE|ISO8859-1\.).+"
)
# name: what Debian's alternatives choose, in this order.
_ALTERNATIVES: Mapping[str, tuple[str, ...]] = {
    "sh": ("dash", "bash"),
    "cc": ("gcc",),
    "c++": ("g++",),
    "awk": ("mawk", "gawk", "original-awk"),
}


def container_entries(packages: Iterable[Package], target: Target) -> list[Entry]:
    """Return the entries of the file system, with bytecode of the standard library.

    :param target: its Python runs this.
    :raises BaseError: packages contradict each other, or there is no compiler among them.
    """
    placed = merge(packages, lambda path: _DROPPED.fullmatch(path) is not None)
    if "usr/bin/gcc" not in placed:
        raise BaseError(
            "the emulation packages have no C compiler (/usr/bin/gcc)",
            hint='add "gcc" to emulation_packages of the base and lock it again',
        )
    shipped = list(placed.values())
    # The skeleton of an image: its users and folders, and the links of merged /usr.
    skeleton = [
        entry
        for entry in rootfs_entries(target, "/app")
        if not entry.path.startswith("app/") and (entry.path not in placed or entry.kind == "symlink")
    ]
    own = {e.path for e in skeleton}
    return [
        *(entry for entry in shipped if entry.path not in own),
        *skeleton,
        *_alternatives(placed),
        *(Entry(path, "dir", 0o755, NONROOT, NONROOT) for path in (BUILD, f"{BUILD}/in", f"{BUILD}/out")),
        *bytecode_entries(shipped, target.python_minor),
    ]


def _alternatives(placed: Mapping[str, Entry]) -> Iterator[Entry]:
    """Yield the links that maintainer scripts make, where no package ships them."""
    for name, programs in _ALTERNATIVES.items():
        found = [program for program in programs if f"usr/bin/{program}" in placed]
        if found and f"usr/bin/{name}" not in placed:
            yield Entry(f"usr/bin/{name}", "symlink", 0o777, target=found[0])
