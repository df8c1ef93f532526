"""Takes the places of a build out of what it made, where they mean nothing to who installs it.

Three kinds of files hold them by design: shared libraries whose search path names the builder's folders
(CMake's and libtool's RPATH), the software bills of materials (CycloneDX, PEP 770) that maturin adds, and
texts that tell how something was built (``numpy/__config__.py``). In texts they become ``/build``.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from ociwheel.reading import parse_json

_SBOM = re.compile(r"[^/]+\.dist-info/sboms/[^/]+\.json")
_TEXTS = (
    ".cfg",
    ".cmake",
    ".conf",
    ".h",
    ".ini",
    ".json",
    ".pc",
    ".py",
    ".pyi",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
)
_PLACE = b"/build"
_SEARCH_PATHS = ("DT_RPATH", "DT_RUNPATH")


def mentions(folder: str) -> re.Pattern[bytes]:
    """Return what finds a folder of the build in a file.

    The sandbox of a remote worker can be its root. There ``/tools`` is a folder of the build, and
    ``https://tools.example.com`` has nothing to do with it.

    :param folder: an absolute path.
    """
    text = re.escape(folder.encode())
    if folder.count("/") > 1 or folder.startswith("/."):  # nobody else calls a folder so
        return re.compile(text)
    before = rb"(?:(?<![\w./~-])|(?<=file://)|(?<=-[BFILR])|(?<=-isystem))"
    return re.compile(before + text + rb"(?![\w.-])")


def without_build_paths(name: str, data: bytes, folders: Sequence[str]) -> bytes:
    """Return a wheel's file without the folders of its build.

    :param name: its path in the wheel.
    :param folders: absolute paths; longer ones may be below shorter ones.
    """
    if data.startswith(b"\x7fELF"):
        return _without_search_paths(data, folders)
    if not name.endswith(_TEXTS):
        return data
    for folder in sorted(folders, key=len, reverse=True):
        data = mentions(folder).sub(_PLACE, data)
    return _sbom(data) if _SBOM.fullmatch(name) else data


def _sbom(data: bytes) -> bytes:
    """Return a CycloneDX document of the same components, the same in each build."""
    try:
        document = parse_json(data)
    except ValueError:
        return data
    if isinstance(document, dict):
        document.pop("serialNumber", None)  # a random UUID
        metadata = document.get("metadata")
        if isinstance(metadata, dict):
            metadata.pop("timestamp", None)
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _without_search_paths(data: bytes, folders: Sequence[str]) -> bytes:
    """Return an ELF file whose RPATH and RUNPATH name no folder of the build; others keep their order."""
    edited = bytearray(data)
    try:
        for offset in _search_paths(ELFFile(io.BytesIO(data))):
            end = data.index(b"\0", offset)
            entries = data[offset:end].decode(errors="surrogateescape").split(":")
            kept = [entry for entry in entries if not _below(entry, folders)]
            if kept != entries:
                text = ":".join(kept).encode(errors="surrogateescape")
                edited[offset:end] = text.ljust(end - offset, b"\0")
    except (ELFError, ValueError):
        return data  # no ELF file to a loader either: the checks say so
    return bytes(edited)


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _search_paths(file: ELFFile) -> Iterator[int]:
    """Yield where in the file the strings of RPATH and RUNPATH are."""
    for segment in file.iter_segments():
        if not isinstance(segment, DynamicSegment):
            continue
        _, strings = segment.get_table_offset("DT_STRTAB")
        for tag in segment.iter_tags():
            if strings is not None and tag.entry.d_tag in _SEARCH_PATHS:
                yield strings + tag.entry.d_val
