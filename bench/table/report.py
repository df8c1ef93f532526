"""The results as JSON, and as the Markdown page of the reference."""

from __future__ import annotations

import dataclasses
import fcntl
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.table.building import Result
from bench.table.listing import Distribution, Listing, Package

_JSON = "bench/results/compiled-packages.json"
_PAGE = "docs/reference/compiled-packages.md"


@dataclass
class Results:
    """What is known of each package, by ``name==version``, in the order of the list."""

    root: Path
    """Of the repository."""
    work: Path
    listing: Listing
    locked: Mapping[str, Distribution]
    facts: Mapping[str, str]
    """Date and machine of the run."""
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Each: backend, and platforms as :class:`Result`."""

    def read(self) -> None:
        """Read the results so far, rows of what is no longer in the list left out."""
        path = self.root / _JSON
        value = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"packages": {}}
        for package in self.listing.packages:
            key = self.locked[package.key].key
            row = value["packages"].get(key, {"backend": "", "platforms": {}})
            platforms = {p: Result.from_json(r) for p, r in row["platforms"].items()}
            self.rows[key] = {"backend": row["backend"], "platforms": platforms}

    def add(self, sdist: Distribution, backend: str, result: Result) -> bool:
        """Write a result down; returns whether it failed and the one before did not.

        Several runs, of other platforms, may do so at once.
        """
        with (self.work / "results.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.read()
            row = self.rows[sdist.key]
            before = row["platforms"].get(result.platform)
            row["backend"] = backend
            row["platforms"][result.platform] = result
            self._write()
        return not result.ok and (before is None or before.ok)

    def write(self) -> None:
        """Write both files."""
        self.read()
        self._write()

    def _write(self) -> None:
        document = {
            **self.facts,
            "packages": {
                key: {
                    "backend": row["backend"],
                    "platforms": {p: dataclasses.asdict(r) for p, r in sorted(row["platforms"].items())},
                }
                for key, row in self.rows.items()
            },
        }
        # Messages name folders of the machine that ran it.
        text = json.dumps(document, indent=1, sort_keys=True).replace(str(self.work), "WORK")
        (self.root / _JSON).write_text(text + "\n", encoding="utf-8")
        (self.root / _PAGE).write_text(self.markdown().replace(str(self.work), "WORK"), encoding="utf-8")

    def markdown(self) -> str:
        """Return the page."""
        platforms = list(self.listing.base["platforms"])
        head = [
            "distribution",
            "version",
            "build backend",
            *platforms,
            "`builder_packages`",
            "`packages`",
            "settings",
        ]
        lines = [_INTRODUCTION.format(base=self.listing.base, **self.facts)]
        lines += [_line(head), _line(["---"] * 3 + ["---:"] * len(platforms) + ["---"] * 3)]
        notes = []
        for package in self.listing.packages:
            sdist = self.locked[package.key]
            row = self.rows[sdist.key]
            cells = []
            for platform in platforms:
                result = row["platforms"].get(platform)
                cells.append(_cell(result))
                if result is not None and not result.ok:
                    notes.append(_note(sdist, result))
            facts = [_names(package.builder), _names(package.runtime), _settings(package)]
            lines.append(_line([sdist.name, sdist.version, row["backend"], *cells, *facts]))
        if notes:
            lines += ["", "## Why not", "", *notes]
        return "\n".join(lines) + "\n"


_INTRODUCTION = """\
# Compiled packages

Made by `bench/build_table` on {date} ({machine}), which runs the steps of `./pants package` by hand:
every sdist was cross-compiled on the one machine for each platform, without emulation and without a
network, against Debian {base[suites][0]} with Python {base[python]}. Each wheel was then unpacked in
the base's own file system, where its Python imported it and called a function
(`smoke` in `bench/table/packages.toml`), in QEMU for ARM.

A cell is the seconds of the build, of a machine that did other work as well. `builder_packages` is what
the base needs to compile, `packages` what it needs to run; settings are those of `[slim-image].builds`.
*Not tried*: the run did not get that far.
What is made once per platform is not in the seconds.
"""


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(result: Result | None) -> str:
    if result is None:
        return "not tried"
    return f"{result.seconds:.0f} s" if result.ok else "no"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _settings(package: Package) -> str:
    said = {k: v for k, v in package.settings.items() if v}
    return f"`{json.dumps(said, sort_keys=True)}`" if said else ""


def _note(sdist: Distribution, result: Result) -> str:
    first = result.reason.splitlines()
    hint = [line.strip() for line in first if line.strip().startswith("->")]
    return f"* {sdist.key} for {result.platform}: {first[0]}{' ' + hint[-1] if hint else ''}"
