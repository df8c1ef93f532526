"""What a lockfile says of each distribution, for comparing alone: without a process, an index or a plan."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping, Sequence

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, rule
from slim_python_image.util_rules.locks import normalized, requirement_name

_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:==|@)\s*(?P<version>[^\s;\\]+)"
)
_HASH = re.compile(r"--hash[= ](?P<hash>\S+)")
_MARKER = re.compile(r";(?P<marker>[^\\]*?)(?:\s*--hash|\\|$)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Line:
    """One locked version: what it is pinned to, and who requires it.

    :param pin: version or URL, hashes in an order of their own, and the marker that says where it counts.
    :param required_by: `None` where the lock does not say.
    """

    name: str
    pin: str
    required_by: tuple[str, ...] | None


@dataclass(frozen=True)
class LockLines:
    """A lockfile's lines.

    :param whole: the fingerprint of a file whose lines are not read: all of it counts.
    """

    lines: tuple[Line, ...]
    whole: str = ""


@dataclass(frozen=True)
class LockLinesRequest:
    """Read the lockfile at a path of the repository."""

    path: str


def _required_by(comments: Iterable[str]) -> tuple[str, ...] | None:
    """Return who requires a line, as pip-compile and uv say it, in one line or in several."""
    found: set[str] | None = None
    for comment in comments:
        text = comment.strip().lstrip("#").strip()
        if text == "via" or text.startswith("via "):
            found, text = found or set(), text[len("via") :]
        if found is not None:
            # A file of requirements (`-r requirements.txt`) is no name.
            found |= {normalized(m[0]) for part in text.split(",") if (m := _NAME.match(part.strip()))}
    return None if found is None else tuple(sorted(found))


def requirements_lines(text: str) -> Iterator[Line]:
    """Yield the lines of a requirements file; comments of pip-compile and uv say who requires them."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if _PINNED.match(line):
            blocks.append([])
        if blocks:
            blocks[-1].append(line)
    for block in blocks:
        own = " ".join(line for line in block if not line.lstrip().startswith("#"))
        found = _PINNED.match(own)
        assert found is not None
        marker = _MARKER.search(own)
        hashes = sorted(match["hash"] for match in _HASH.finditer(own))
        comments = [line for line in block if line.lstrip().startswith("#")]
        yield Line(
            normalized(found["name"]),
            " ".join([found["version"], *hashes, marker["marker"].strip() if marker else ""]).rstrip(),
            _required_by(comments),
        )


def pex_lines(lock: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the versions of a lock of Pex; none where it was changed who requires whom."""
    if lock.get("overridden") or lock.get("excluded"):
        return
    entries = [one for part in lock["locked_resolves"] for one in part["locked_requirements"]]
    by: dict[str, set[str]] = {}
    for one in entries:
        for text in one["requires_dists"]:
            by.setdefault(requirement_name(text), set()).add(normalized(one["project_name"]))
    for one in entries:
        name = normalized(one["project_name"])
        hashes = sorted(f"{artifact['algorithm']}:{artifact['hash']}" for artifact in one["artifacts"])
        yield Line(name, " ".join([one["version"], *hashes]), tuple(sorted(by.get(name, ()))))


def parse_lines(data: bytes) -> LockLines:
    """Return what a lockfile says of each distribution; of one that cannot be read so, all of it."""
    text = data.decode("utf-8", errors="replace")
    lines: tuple[Line, ...] = ()
    body = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    if body.lstrip().startswith("{"):
        try:
            lines = tuple(pex_lines(json.loads(body)))
        except (ValueError, KeyError, TypeError):
            lines = ()
    elif "--hash" in text:
        lines = tuple(requirements_lines(text))
    return LockLines(lines) if lines else LockLines((), hashlib.sha256(data).hexdigest())


def reached(roots: Iterable[str], lines: Sequence[Line]) -> dict[str, list[str]]:
    """Return the pins that some names need, by name: those of lines that nobody is known to require too.

    On every platform: a marker is part of a pin, and is not asked.
    """
    names = set(roots) | {line.name for line in lines if line.required_by is None}
    before = -1
    while before != len(names):
        before = len(names)
        names |= {line.name for line in lines if not names.isdisjoint(line.required_by or ())}
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.name in names:
            found.setdefault(line.name, []).append(line.pin)
    return {name: sorted(pins) for name, pins in sorted(found.items())}


@rule(desc="Read the lines of a lockfile")
async def read_lines(request: LockLinesRequest) -> LockLines:
    return parse_lines(await engine.read_path(request.path) or b"")


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
