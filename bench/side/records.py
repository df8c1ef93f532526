"""The log of measurements: one JSON line each, to which every number of the report leads back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.side.meter import Sample


@dataclass(frozen=True)
class Entry:
    """One line of the log.

    :param line: its number, from 1.
    :param key: what was measured.
    :param figures: numbers by name; empty when the scenario failed or cannot be done.
    :param reason: why there are none.
    """

    line: int
    contender: str
    key: str
    repeat: int
    figures: Mapping[str, float]
    reason: str = ""
    failed: bool = False


@dataclass
class Log:
    """A file that entries are appended to.

    :param file: one JSON document per line.
    """

    file: Path
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.file.exists():
            self.entries = list(_read(self.file))

    def has(self, contender: str, key: str, repeat: int) -> bool:
        """Tell whether something was measured, or found impossible, already. What failed is tried again."""
        return any(
            (entry.contender, entry.key, entry.repeat) == (contender, key, repeat) and not entry.failed
            for entry in self.entries
        )

    def sample(
        self, contender: str, key: str, repeat: int, sample: Sample, more: Mapping[str, float]
    ) -> Entry:
        """Append a measurement."""
        figures = {k: v for k, v in asdict(sample).items() if v is not None} if sample.wall else {}
        return self._append(contender, key, repeat, {**figures, **more})

    def reason(self, contender: str, key: str, repeat: int, text: str, *, failed: bool) -> Entry:
        """Append why there is no measurement."""
        return self._append(contender, key, repeat, {}, text, failed=failed)

    def _append(
        self,
        contender: str,
        key: str,
        repeat: int,
        figures: Mapping[str, float],
        reason: str = "",
        *,
        failed: bool = False,
    ) -> Entry:
        rounded = {name: round(value, 4) for name, value in figures.items()}
        entry = Entry(len(self.entries) + 1, contender, key, repeat, rounded, reason, failed)
        document = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **asdict(entry)}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as sink:
            sink.write(json.dumps(document) + "\n")
        self.entries.append(entry)
        return entry


def _read(file: Path) -> Iterator[Entry]:
    names = Entry.__dataclass_fields__
    for number, line in enumerate(file.read_text().splitlines(), 1):
        document: dict[str, Any] = json.loads(line)
        yield Entry(**{**{name: document[name] for name in names}, "line": number})
