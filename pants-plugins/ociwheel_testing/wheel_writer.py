"""Writes wheels, sound ones and broken ones."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def write_wheel(
    folder: Path,
    name: str = "demo",
    version: str = "1.0",
    tag: str = "py3-none-any",
    files: Mapping[str, bytes] | None = None,
    *,
    entry_points: str | None = None,
    executable: tuple[str, ...] = (),
    raw: Mapping[str, bytes] | None = None,
    links: Mapping[str, bytes] | None = None,
    record: Mapping[str, str] | None = None,
    requires: tuple[str, ...] = (),
) -> Path:
    """Write one wheel.

    :param raw: members that RECORD does not list.
    :param links: members that are symbolic links.
    :param record: lines of RECORD to put in place of the right ones, by path.
    """
    info = f"{name}-{version}.dist-info"
    members = dict(files or {})
    headers = "".join(f"Requires-Dist: {text}\n" for text in requires)
    members[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{headers}".encode()
    )
    pure = "true" if tag.endswith("-any") else "false"
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode()
    )
    if entry_points:
        members[f"{info}/entry_points.txt"] = entry_points.encode()
    lines = [
        (record or {}).get(path) or f"{path},sha256={_hash(data)},{len(data)}"
        for path, data in {**members, **(links or {})}.items()
    ]
    members[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"{name}-{version}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in {**members, **(raw or {})}.items():
            _add(archive, member, data, 0o100755 if member in executable else 0o100644)
        for member, data in (links or {}).items():
            _add(archive, member, data, 0o120777)
    return path


def _add(archive: zipfile.ZipFile, member: str, data: bytes, mode: int) -> None:
    info = zipfile.ZipInfo(member)
    info.external_attr = mode << 16
    archive.writestr(info, data)


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
