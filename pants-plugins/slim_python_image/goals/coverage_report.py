"""The report of `slim-coverage`: tables as values, and how they read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable, Sequence

from slim_python_image.products import Artifact, TargetEnvironment

SCHEMA = "slim-python-image.coverage/1"
_MAX_TARGETS = 3


@dataclass(frozen=True, order=True)
class Row:
    """One distribution.

    :param size: bytes of the artifact, ``None`` where the index does not say.
    :param native: of an sdist: whether it has code to compile, ``None`` where nobody knows.
    :param reason: of an sdist: `no_binary`, or `no_wheel` where none fits.
    :param newest_wheel: where none fits: the newest version that has one, ``None`` where there is none.
    :param searched: whether `newest_wheel` was looked for and answered.
    """

    artifact: Artifact
    size: int | None
    targets: tuple[str, ...]
    native: bool | None = None
    rust: bool = False
    reason: str | None = None
    newest_wheel: str | None = None
    searched: bool = False

    @property
    def compiled(self) -> bool:
        """Whether a compiler has to run."""
        return self.artifact.kind == "sdist" and self.native is not False

    @property
    def kind(self) -> str:
        """Wheel or sdist, in words."""
        if self.artifact.kind == "wheel":
            return "wheel"
        if self.native is None:
            return "sdist, unknown"
        if not self.native:
            return "sdist, pure"
        return "sdist, native (Rust)" if self.rust else "sdist, native"

    @property
    def note(self) -> str:
        """Why it is an sdist, and what would help."""
        if self.reason != "no_wheel":
            return self.reason or ""
        if not self.searched:
            return "no wheel fits"
        if self.newest_wheel is None:
            return "no wheel fits; no version that the lock allows has one"
        if self.newest_wheel == self.artifact.version:
            return "a wheel fits, but is not in the lock: lock again"
        return f"no wheel fits; newest version with one: {self.newest_wheel}"


@dataclass(frozen=True)
class Fault:
    """What could not be found out, and for which targets."""

    targets: tuple[str, ...]
    error: str


@dataclass(frozen=True)
class Table:
    """What some targets need on one platform from one lockfile.

    :param target: ``None`` where every plan failed.
    """

    platform: str
    target: TargetEnvironment | None
    lockfile: str
    targets: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the table is about."""
        if self.target is None:
            return f"{self.platform}, {self.lockfile}"
        python, libc = self.target.python, f"{self.target.libc} {self.target.libc_version}"
        return f"{self.platform}, Python {python}, {libc}, {self.lockfile}"


def bytes_text(size: int | None) -> str:
    """Return a size for people."""
    if size is None:
        return "unknown"
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"


def _aligned(rows: Sequence[Sequence[str]], right: int) -> list[str]:
    """Return rows as lines of columns, one of them to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            text.rjust(width) if column == right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _names(rows: Iterable[Row]) -> str:
    return ", ".join(sorted({row.artifact.name for row in rows}))


def _count(rows: Iterable[Row]) -> int:
    return len({row.artifact.name for row in rows})


def summary(table: Table, label: str) -> str:
    """Return one line on a table: what is compiled, and what is fetched."""
    if table.target is None:
        return f"{label}: no plan"
    native = [row for row in table.rows if row.compiled]
    pure = [row for row in table.rows if row.artifact.kind == "sdist" and not row.compiled]
    total = _count(table.rows)
    verb = "is" if _count(native) == 1 else "are"
    parts = [f"{_count(native)} of {total} {verb} compiled: {_names(native)}"]
    if not native:
        parts = [f"none of {total} is compiled"]
    if pure:
        parts.append(f"built from pure sdists: {_names(pure)}")
    unknown = sum(row.size is None for row in table.rows)
    more = f" and {unknown} of unknown size" if unknown else ""
    parts.append(f"{bytes_text(sum(row.size or 0 for row in table.rows))}{more} to fetch")
    if table.faults:
        parts.append("incomplete, see the errors above")
    return f"{label}: {'; '.join(parts)}"


def _targets_text(targets: Sequence[str]) -> str:
    return ", ".join(targets) if len(targets) <= _MAX_TARGETS else f"{len(targets)} targets"


def _table_lines(table: Table) -> list[str]:
    lines = [table.title, f"needed by {_targets_text(table.targets)}"]
    if table.rows:
        header = ("distribution", "version", "artifact", "size", "")
        cells = [
            (row.artifact.name, row.artifact.version, row.kind, bytes_text(row.size), row.note)
            for row in table.rows
        ]
        lines += [f"  {line}" for line in _aligned([header, *cells], right=3)]
    lines += [f"  note: {note}" for note in table.notes]
    for fault in table.faults:
        lines.append(f"  error, for {', '.join(fault.targets)}:")
        lines += [f"    {line}" for line in fault.error.splitlines()]
    return lines


def text_report(tables: Sequence[Table]) -> str:
    """Return the tables for people, then one summary line per table."""
    platforms = [table.platform for table in tables]
    blocks = ["\n".join(_table_lines(table)) for table in tables]
    summaries = [
        summary(table, table.title if platforms.count(table.platform) > 1 else table.platform)
        for table in tables
    ]
    return "\n\n".join([*blocks, "\n".join(summaries)]) + "\n"


def _row_fields(row: Row) -> dict[str, Any]:
    artifact = row.artifact
    fields: dict[str, Any] = {
        "name": artifact.name,
        "version": artifact.version,
        "kind": artifact.kind,
        "filename": artifact.filename,
        "sha256": artifact.sha256,
        "size": row.size,
        "targets": list(row.targets),
    }
    if artifact.kind == "sdist":
        fields["native"] = row.native
        fields["rust"] = row.rust
        fields["reason"] = row.reason
    if row.searched:
        fields["newest_wheel"] = row.newest_wheel
    return fields


def _table_fields(table: Table) -> dict[str, Any]:
    target = table.target
    sdists = [row for row in table.rows if row.artifact.kind == "sdist"]
    return {
        "platform": table.platform,
        "python": target.python if target else None,
        "libc": target.libc if target else None,
        "libc_version": target.libc_version if target else None,
        "lockfile": table.lockfile,
        "targets": list(table.targets),
        "distributions": [_row_fields(row) for row in table.rows],
        "notes": list(table.notes),
        "errors": [{"targets": list(fault.targets), "error": fault.error} for fault in table.faults],
        "summary": {
            "distributions": _count(table.rows),
            "compiled": _count(row for row in sdists if row.compiled),
            "pure_sdists": _count(row for row in sdists if not row.compiled),
            "size": sum(row.size or 0 for row in table.rows),
            "unknown_sizes": sum(row.size is None for row in table.rows),
            "text": summary(table, table.platform),
        },
    }


def json_report(tables: Sequence[Table]) -> str:
    """Return the tables for programs."""
    document = {"schema": SCHEMA, "platforms": [_table_fields(table) for table in tables]}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
