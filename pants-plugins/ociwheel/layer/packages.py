"""What the packages of a layer say of themselves: rows of ``layer-packages.json``.

Specifications: Core metadata 2.4 of packaging.python.org, Debian Policy 5 (control files) and 7 (relations),
os-release(5).
"""

from __future__ import annotations

import email.parser
import re
from collections.abc import Iterable, Sequence
from email.message import Message
from typing import Any

from ociwheel.elf.facts import ELF_MAGIC
from ociwheel.formats.entries import Content, Entry

# How the tools that repair wheels name what they bundle: `name.libs/libgomp-a34b3233.so.1.0.0`.
_BUNDLED = re.compile(r"(?:^|/)[^/]+\.libs/(?P<file>[^/]+\.so[^/]*)$")
_MOST = 2000
"""Characters of a free text."""
_SOURCE = re.compile(r"(?P<name>[^\s()]+)(?:\s*\((?P<version>[^\s()]+)\))?")
_RELATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*")
_OS_RELEASE = "usr/lib/os-release"
_OS_FIELDS = ("ID", "VERSION_ID", "VERSION_CODENAME", "PRETTY_NAME")


def wheel_row(content: Content, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return what a distribution's metadata says, and the libraries that its wheel brings along.

    :returns: ``license`` is an expression (PEP 639), ``license_text`` what older metadata has instead.
    """
    metadata = next((e for e in entries if e.path.endswith(".dist-info/METADATA")), None)
    headers: Message = Message()
    if metadata is not None:
        with metadata.open() as stream:
            headers = email.parser.BytesHeaderParser().parse(stream)
    classifiers = [_line(text) for text in headers.get_all("Classifier") or ()]
    return {
        "type": "python",
        "name": content.name,
        "version": content.version,
        "license": _line(headers.get("License-Expression")),
        "license_text": _line(headers.get("License")),
        "classifiers": sorted(text for text in classifiers if text.startswith("License ::")),
        "bundled": _bundled(entries),
    }


def _line(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())[:_MOST]


def _bundled(entries: Iterable[Entry]) -> list[dict[str, str]]:
    found = []
    for entry in entries:
        name = _BUNDLED.search(entry.path)
        if name is None or entry.kind != "file":
            continue
        with entry.open() as stream:
            if stream.read(len(ELF_MAGIC)) == ELF_MAGIC:
                found.append({"name": name["file"], "path": entry.path, "sha256": entry.sha256})
    return sorted(found, key=lambda row: row["path"])


def deb_row(control: str) -> dict[str, Any]:
    """Return what the control file of a package says.

    :returns: ``requires`` are the names of its relations, of alternatives each; whether they are there is
        for the reader to see.
    """
    fields = email.parser.HeaderParser().parsestr(control)
    name, version = _line(fields.get("Package")), _line(fields.get("Version"))
    source = _SOURCE.fullmatch(_line(fields.get("Source")))
    relations = f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}"
    required = (_RELATION.match(one.strip()) for one in re.split(r"[,|]", relations))
    return {
        "type": "deb",
        "name": name,
        "version": version,
        "architecture": _line(fields.get("Architecture")),
        "source": source["name"] if source else name,
        "source_version": (source["version"] if source else None) or version,
        "maintainer": _line(fields.get("Maintainer")),
        "requires": sorted({one[0] for one in required if one}),
    }


def system_rows(entries: Iterable[Entry]) -> list[dict[str, str]]:
    """Return the operating system that a layer says it is, at most one."""
    for entry in entries:
        if entry.path == _OS_RELEASE and entry.kind == "file":
            with entry.open() as stream:
                text = stream.read(1 << 16).decode(errors="replace")
            values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
            known = {key.lower(): values.get(key, "").strip("\"'") for key in _OS_FIELDS}
            return [{"type": "system", **known}]
    return []
