"""The Debian mirrors of this machine, from apt's own sources: one-line and deb822 format.

Only entries for Debian's own archive count: a third-party repository has other suites.
See sources.list(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ARCHIVES = ("debian", "debian-security")

_RELEASES = frozenset(
    [
        "buster",
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "sid",
        "oldoldstable",
        "oldstable",
        "stable",
        "testing",
        "unstable",
    ]
)
_SUFFIX = re.compile(r"(-updates|-proposed-updates|-backports|-backports-sloppy)$")
_SECURITY = re.compile(r"(-security|/updates)$")
_ONE_LINE = re.compile(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*(.*)$")
_SCHEMES = ("http://", "https://", "file:/")


@dataclass(frozen=True)
class Source:
    """One repository: where, which suites, which components."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]

    def archives(self) -> Iterator[str]:
        """Yield which of :data:`ARCHIVES` this source has packages of."""
        if "main" not in self.components:
            return
        for suite in self.suites:
            if _SECURITY.search(suite):
                if _SECURITY.sub("", suite) in _RELEASES:
                    yield "debian-security"
            elif _SUFFIX.sub("", suite) in _RELEASES:
                yield "debian"


def parse_one_line(text: str) -> Iterator[Source]:
    """Yield the ``deb`` lines of a ``.list`` file."""
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if match:
            yield Source((match[1],), (match[2],), tuple(match[3].split()))


def _stanzas(text: str) -> Iterator[Mapping[str, str]]:
    fields: dict[str, str] = {}
    last = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if last:
                fields[last] += " " + line.strip()
        elif ":" in line:
            last, _, value = line.partition(":")
            last = last.strip().lower()
            fields[last] = value.strip()


def parse_deb822(text: str) -> Iterator[Source]:
    """Yield the enabled binary sources of a ``.sources`` file."""
    for fields in _stanzas(text):
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false", "0", "off")
        if enabled and "deb" in fields.get("types", "").split():
            yield Source(
                tuple(fields.get("uris", "").split()),
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
            )


def read_sources(folder: Path) -> Iterator[Source]:
    """Yield every source of an ``/etc/apt`` folder. What cannot be read is skipped."""
    files = [folder / "sources.list"]
    files += sorted(folder.glob("sources.list.d/*.list"))
    files += sorted(folder.glob("sources.list.d/*.sources"))
    for path in files:
        try:
            text = path.read_text("utf-8", errors="replace")
        except OSError:
            continue
        yield from (parse_deb822 if path.suffix == ".sources" else parse_one_line)(text)


def mirrors(sources: Iterable[Source]) -> dict[str, tuple[str, ...]]:
    """Return the mirrors of each archive, in the order in which apt names them."""
    found: dict[str, dict[str, None]] = {name: {} for name in ARCHIVES}
    for source in sources:
        for archive in source.archives():
            for uri in source.uris:
                if uri.startswith(_SCHEMES):
                    found[archive][uri.rstrip("/")] = None
    return {name: tuple(uris) for name, uris in found.items() if uris}
