"""Wheels as they are installed, kept on the machine: when one of a layer changes, others need not be again.

What a wheel is installed as follows from its file, how it is to be installed, this code and the Python that
compiles. All are in the name of the file that keeps it, so a layer has the same bytes with and without: see
docs/decisions/029. What is missing, cut or changed counts as not there; what cannot be written is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel.bounded_folder import trim
from ociwheel.documents import canonical, write_whole
from ociwheel.formats.entries import Content, Entry
from ociwheel.formats.limits import VARIABLE as LIMITS
from ociwheel.formats.parts import Part
from ociwheel.layer.import_time import AtImport
from ociwheel.layer.left_out import LeftOut
from ociwheel.layer.opened import OpenedNames
from ociwheel.layer.spool import Spool
from ociwheel.layer.wheels import InstalledWheel, Options, content_of, install_wheel

VARIABLE = "OCIWHEEL_WHEELS"
"""``FOLDER/NAME``: the folder that keeps them, and how names of files begin: it says which code made them."""
_FORM = 1
_HASH_BYTES = 32
# Larger wheels have layers of their own, which are made again when they themselves change.
_MOST_WHEEL_BYTES = 8 << 20
_MOST_BYTES = 32 << 20
_MOST_BYTES_OF_ALL = 512 << 20
_UNUSED_SECONDS = 30 * 86400


@dataclass(frozen=True)
class KeptWheels:
    """A folder of installed wheels."""

    place: Path
    """The folder, and how names in it begin."""

    @staticmethod
    def of_environment(environment: Mapping[str, str] = os.environ) -> KeptWheels | None:
        """Return the folder that :data:`VARIABLE` names, ``None`` where there is none on this machine."""
        place = environment.get(VARIABLE)
        if not place or not os.path.isdir(os.path.dirname(place)):
            return None
        return KeptWheels(Path(place))

    def find(self, key: Mapping[str, Any]) -> tuple[dict[str, Any], bytes] | None:
        """Return what was kept for a key and the content of its files, ``None`` for nothing that is sound."""
        path = self._path(key)
        try:
            if os.stat(path).st_size > 2 * _MOST_BYTES:
                return None
            data = path.read_bytes()
            if hashlib.sha256(memoryview(data)[_HASH_BYTES:]).digest() != data[:_HASH_BYTES]:
                return None
            text, _, content = data[_HASH_BYTES:].partition(b"\n")
            found: dict[str, Any] = json.loads(text)
            if found["key"] != key or sum(size for _, _, size, _, _ in found["files"]) != len(content):
                return None
            os.utime(path)
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None
        return found, content

    def keep(self, key: Mapping[str, Any], said: Mapping[str, Any], files: Sequence[Entry]) -> None:
        """Keep a wheel, where there is room for it.

        :param said: what is to be found besides its files.
        """
        if sum(one.size() for one in files) > _MOST_BYTES:
            return
        rows = [[one.path, one.mode, one.size(), one.mtime, one.sha256] for one in files]
        text = canonical({**said, "key": key, "files": rows})
        data = b"".join((text, *map(_content, files)))
        with contextlib.suppress(OSError):  # a full disk, for example: the next layer installs it again
            write_whole(self._path(key), hashlib.sha256(data).digest() + data)

    def tidy(self) -> None:
        """Remove what was used long ago, and of more than there may be what was not used for longest."""
        trim(self.place.parent, _MOST_BYTES_OF_ALL, _UNUSED_SECONDS)

    def _path(self, key: Mapping[str, Any]) -> Path:
        return self.place.with_name(f"{self.place.name}-{hashlib.sha256(canonical(key)).hexdigest()}")


def install_once(
    wheel: Path, spool: Spool, options: Options, left_out: LeftOut, kept: KeptWheels
) -> InstalledWheel:
    """Do as :func:`install_wheel` does, unless the same was done before.

    :raises LayerError: as that does; of a wheel that is refused, nothing is kept.
    """
    if wheel.stat().st_size > _MOST_WHEEL_BYTES:
        return install_wheel(wheel, spool, options, left_out)
    key = key_of(wheel, options)
    found = kept.find(key)
    if found is not None:
        said, content = found
        # Which targets a wheel fits is in its name, and no matter of what it is installed as.
        return _restored(said, content_of(wheel, options.target), spool.append(content), left_out)
    own = LeftOut()
    installed = install_wheel(wheel, spool, options, own)
    left_out.include(own)
    kept.keep(key, _said(installed, own), installed.entries)
    return installed


def key_of(wheel: Path, options: Options) -> dict[str, Any]:
    """Return all that decides what a wheel is installed as, but for the code that does it."""
    with wheel.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "form": _FORM,
        "name": wheel.name,
        "sha256": sha256,
        "prefix": options.venv.prefix,
        "site_packages": options.venv.site_packages,
        "excludes": list(options.excludes),
        "tag": options.tag,
        "checked": options.checked,
        "strip": options.strip,
        # What is beyond them is refused, and must not be found.
        "limits": os.environ.get(LIMITS, ""),
        "python": f"{sys.implementation.cache_tag} {sys.version}",
    }


def _said(installed: InstalledWheel, left_out: LeftOut) -> dict[str, Any]:
    opened = installed.opened
    return {
        "notes": list(installed.notes),
        "requires": list(installed.requires),
        "left_out": [[row["rule"], row["bytes"], row["files"]] for row in left_out.to_json()],
        "opened": opened
        and [
            sorted(opened.files),
            list(map(list, opened.calls)),
            [[one.path, list(one.names)] for one in opened.at_import],
        ],
    }


def _restored(said: Mapping[str, Any], content: Content, start: Part, left_out: LeftOut) -> InstalledWheel:
    """Return an installed wheel of what :func:`_said` returned.

    :param start: the content of all its files, in their order.
    """
    entries = []
    at = start.offset
    for path, mode, size, mtime, sha256 in said["files"]:
        part = Part(start.file, at, size)
        at += size
        entries.append(
            Entry(path, "file", mode, source=part, origin=content.origin, mtime=mtime, sha256=sha256)
        )
    for rule, size, files in said["left_out"]:
        left_out.add(content.origin, rule, size, files)
    opened = said["opened"] and OpenedNames(
        frozenset(said["opened"][0]),
        tuple(map(tuple, said["opened"][1])),
        tuple(AtImport(path, tuple(names)) for path, names in said["opened"][2]),
    )
    return InstalledWheel(content, tuple(entries), tuple(said["notes"]), opened, tuple(said["requires"]))


def _content(entry: Entry) -> bytes:
    with entry.open() as stream:
        return stream.read()
