"""Names in archives: which of them are paths inside the folder that the archive is for."""

from __future__ import annotations

from ociwheel.formats.guard import Guard
from ociwheel.wording import quoted

MOST_PART_BYTES = 255
"""Bytes of one part of a path (NAME_MAX of Linux)."""


def inside(name: str, guard: Guard, *, absolute: bool = False, leaves: str = "would leave its folder") -> str:
    """Return the path that an entry's name means, relative, without ``.`` and empty parts.

    :param absolute: whether a leading slash means the root of the archive.
    :param leaves: what a name that leads out of the folder does, for the message.
    :raises OciwheelError: it leads out of the folder, or is beyond a limit.
    """
    if len(name) > guard.limits.name_bytes:
        raise guard.too_much(f"the entry {quoted(name)} has a name of {len(name)} characters", "name_bytes")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in name or (name.startswith("/") and not absolute):
        raise guard.refuse(f"the entry {quoted(name)} {leaves}")
    if len(parts) > guard.limits.nesting:
        raise guard.too_much(f"the entry {quoted(name)} is {len(parts)} folders deep", "nesting")
    if any(len(part) * 4 > MOST_PART_BYTES and _bytes(part) > MOST_PART_BYTES for part in parts):
        raise guard.refuse(
            f"the entry {quoted(name)} has a name of more than {MOST_PART_BYTES} bytes in its path"
        )
    return "/".join(parts)


def link_text(text: str, name: str, guard: Guard) -> str:
    """Return a symbolic link's text.

    :raises OciwheelError: it is empty, no text of a link, or beyond a limit.
    """
    if not text or "\0" in text:
        raise guard.refuse(f"the entry {quoted(name)} is a symbolic link without a target")
    if len(text) > guard.limits.name_bytes:
        raise guard.too_much(f"the link {quoted(name)} has a text of {len(text)} characters", "name_bytes")
    return text


def is_text(value: str) -> bool:
    """Tell whether a name is UTF-8: tar keeps other bytes as lone surrogates (PEP 383)."""
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


def _bytes(part: str) -> int:
    return len(part.encode("utf-8", "surrogateescape" if not is_text(part) else "strict"))
