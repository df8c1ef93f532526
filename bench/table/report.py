"""The results as JSON, and as the Markdown page of the reference."""

from __future__ import annotations

import dataclasses
import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.table.building import Attempt, Result, Round
from bench.table.following import Choice
from bench.table.listing import Distribution, Listing, Package

_JSON = "bench/results/compiled-packages.json"
_PAGE = "docs/reference/compiled-packages.md"
_NATIVE = "linux/amd64"
"""The platform of the machine that native builds run on."""


@dataclass
class Row:
    """What is known of a package."""

    backend: str = ""
    choice: Choice = field(default_factory=Choice)
    """What messages led to, for all platforms."""
    rounds: list[Round] = field(default_factory=list)
    """The messages that did, in order."""
    platforms: dict[str, Result] = field(default_factory=dict)
    native: Mapping[str, Any] | None = None
    """Whether it builds natively; not known where it was not tried."""

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Row:
        """Read one that :meth:`to_json` wrote."""
        return Row(
            value["backend"],
            Choice.from_json(value["choice"]),
            [Round(**one) for one in value["rounds"]],
            {p: Result.from_json(r) for p, r in value["platforms"].items()},
            value["native"],
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            "backend": self.backend,
            "choice": self.choice.to_json(),
            "rounds": [one.to_json() for one in self.rounds],
            "platforms": {p: dataclasses.asdict(r) for p, r in sorted(self.platforms.items())},
            "native": self.native,
        }


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
    rows: dict[str, Row] = field(default_factory=dict)

    def read(self) -> None:
        """Read the results so far, rows of what is no longer in the list left out."""
        path = self.root / _JSON
        value = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"packages": {}}
        for package in self.listing.packages:
            key = self.locked[package.key].key
            known = value["packages"].get(key)
            self.rows[key] = Row.from_json(known) if known else Row()

    def row(self, package: Package) -> Row:
        """Return what is known of a package."""
        return self.rows[self.locked[package.key].key]

    def add(self, package: Package, backend: str, attempt: Attempt, result: Result) -> bool:
        """Write a result down; returns whether it failed and the one before did not.

        Several runs may do so at once.
        """
        with self._changing():
            row = self.row(package)
            before = row.platforms.get(result.platform)
            row.backend = backend
            others = [one for one in row.rounds if one.platform != result.platform]
            row.rounds = [*others, *attempt.rounds]
            row.choice = attempt.choice
            row.platforms[result.platform] = result
        return not result.ok and (before is None or before.ok)

    def add_native(self, package: Package, native: Mapping[str, Any]) -> None:
        """Write down whether a package builds natively."""
        with self._changing():
            self.row(package).native = native

    def write(self) -> None:
        """Write both files."""
        with self._changing():
            pass

    def _changing(self) -> _Change:
        return _Change(self)

    def save(self) -> None:
        """Write what is known to both files."""
        document = {**self.facts, "packages": {key: row.to_json() for key, row in self.rows.items()}}
        # Messages name folders of the machine that ran it.
        text = json.dumps(document, indent=1, sort_keys=True).replace(str(self.work), "WORK")
        (self.root / _JSON).write_text(text + "\n", encoding="utf-8")
        (self.root / _PAGE).write_text(self.markdown().replace(str(self.work), "WORK"), encoding="utf-8")

    def markdown(self) -> str:
        """Return the page."""
        platforms = list(self.listing.base["platforms"])
        lines = [_INTRODUCTION.format(base=self.listing.base, **self.facts), *self._figures(), ""]
        head = ["distribution", "version", "build backend", "native", *platforms, "messages"]
        lines += [_line([*head, "`builder_packages`", "`packages`", "settings"])]
        lines += [_line(["---"] * 4 + ["---:"] * (len(platforms) + 1) + ["---"] * 3)]
        for package in self.listing.packages:
            row, sdist = self.row(package), self.locked[package.key]
            cells = [_native(row.native), *(_cell(row.platforms.get(platform)) for platform in platforms)]
            settings = ", ".join(filter(None, (row.choice.words(), _settings(package))))
            facts = [_names(row.choice.builder_packages), _names(row.choice.packages), settings]
            messages = str(len(row.rounds)) if row.platforms else ""
            lines.append(_line([sdist.name, sdist.version, row.backend, *cells, messages, *facts]))
        by_hand = [f"* {p.key}: {p.hand}" for p in self.listing.packages if p.hand]
        for title, notes in (
            ("What no message led to", by_hand),
            ("Why not", list(self._failures())),
            ("Not tried", list(self._untried())),
            ("Not built natively, or not to be called", list(self._natively())),
            ("Other than a native build", list(self._unlike())),
        ):
            lines += ["", f"## {title}", "", *notes] if notes else []
        return "\n".join(lines) + "\n"

    def _figures(self) -> list[str]:
        """Say how many were tried and built, and how many of those that build natively."""
        rows = [self.row(package) for package in self.listing.packages]
        natively = [row for row in rows if _is_native(row.native)]
        built = sum(bool(row.native and row.native["ok"]) for row in rows)
        tried = [row for row in rows if row.platforms]
        native = sum(row.native is not None for row in rows)
        first = f"* {len(tried)} of {len(rows)} rows tried on some platform"
        failed = (
            f"; {built - len(natively)} of these fail when they are called" if built > len(natively) else ""
        )
        said = [f"{first}; {native} tried natively, of which {built} built{failed}."]
        said += [_share(platform, rows, natively) for platform in self.listing.base["platforms"]]
        beside = [not found for _, found in self._beside()]
        said.append(
            f"* {_NATIVE}: {sum(beside)} of {len(beside)} that are built both ways have the same ELF files, "
            "which name the same libraries."
        )
        return said

    def _beside(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the distributions built natively and by us, with what their ELF files differ in."""
        for package in self.listing.packages:
            row = self.row(package)
            ours = row.platforms.get(_NATIVE)
            # A wheel without an ELF file, pure as its settings say, is alike whatever built it.
            native = row.native["elf"] if row.native else {}
            if native and ours and ours.ok:
                yield self.locked[package.key].key, unlike(ours.elf, native)

    def _unlike(self) -> Iterator[str]:
        why = {self.locked[package.key].key: package.unlike for package in self.listing.packages}
        for key, found in self._beside():
            if found:
                yield f"* {key}: {'; '.join(found)}. {why[key] or 'Why was not looked into.'}"

    def _failures(self) -> Iterator[str]:
        """Say why a package is not built, platforms of one message together."""
        for package in self.listing.packages:
            reasons: dict[str, list[str]] = {}
            for platform, result in sorted(self.row(package).platforms.items()):
                if not result.ok:
                    said = _said(result).replace(platform, "PLATFORM")
                    reasons.setdefault(said, []).append(platform)
            key = self.locked[package.key].key
            yield from (f"* {key}, {', '.join(found)}: {said}" for said, found in reasons.items())

    def _natively(self) -> Iterator[str]:
        for package in self.listing.packages:
            native = self.row(package).native
            if native is not None and not _is_native(native):
                lines = [line.strip()[:200] for line in native["reason"].splitlines() if "rror" in line] or [
                    ""
                ]
                said = f"built, but does not run: {lines[-1]}" if native["ok"] else lines[0]
                yield f"* {self.locked[package.key].key}: {said}"

    def _untried(self) -> Iterator[str]:
        """Name what was not tried on a platform, with what it needs and is not built there."""
        for platform in self.listing.base["platforms"]:
            rest = []
            for package in self.listing.packages:
                if platform in self.row(package).platforms:
                    continue
                lacks = [name for name in package.needs if self._is_unbuilt(name, platform)]
                key = self.locked[package.key].key
                rest.append(f"{key} (needs {' and '.join(lacks)}, not built there)" if lacks else key)
            if rest:
                yield f"* {platform}: {', '.join(rest)}"
        rest = [self.locked[p.key].key for p in self.listing.packages if self.row(p).native is None]
        if rest:
            yield f"* natively: {', '.join(rest)}"

    def _is_unbuilt(self, name: str, platform: str) -> bool:
        row = self.rows.get(self.locked[name].key)
        result = row and row.platforms.get(platform)
        return row is not None and not (result and result.ok)


@dataclass
class _Change:
    """Reads the results, lets them be changed, and writes them, one run at a time."""

    results: Results
    _lock: Any = None

    def __enter__(self) -> None:
        self._lock = (self.results.work / "results.lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.results.read()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.results.save()
        self._lock.close()


_INTRODUCTION = """\
# Compiled packages

Made by `bench/build_table` on {date} ({machine}), which runs the steps of `./pants package` by hand:
every sdist was cross-compiled on the one machine for each platform, without emulation and without a
network, against Debian {base[suites][0]} with Python {base[python]}. Each wheel was then installed into a
layer, the image's files were audited, and the base's Python imported it there and called a function
(`smoke` in `bench/table/packages.toml`), in QEMU for ARM.

Whoever built them knew nothing of them: `builder_packages` (what it is compiled against), `packages` (of
the base, what it needs to run) and settings of `[slim-image].builds` are what the messages of failed builds
told to add. *messages* is how many it took, on all platforms together. *native* is `pip wheel` in a Debian
of the same suite with gcc and the -dev packages of all rows, where a build also finds what it can do without.
What fails here or is new was called there, too; what fails there as well is not counted as built natively.

A cell is the seconds of the last build step, on a machine that did other work as well. *Not tried*: the run
did not get that far. What is made once per platform is not in the seconds.
"""


def unlike(ours: Mapping[str, Sequence[str]], native: Mapping[str, Sequence[str]]) -> list[str]:
    """Return, in words, how the ELF files of two wheels and the libraries that they name differ."""
    found = [f"`{name}` is in ours alone" for name in sorted({*ours} - {*native})]
    found += [f"`{name}` is in the native one alone" for name in sorted({*native} - {*ours})]
    for name in sorted({*ours} & {*native}):
        more, less = {*ours[name]} - {*native[name]}, {*native[name]} - {*ours[name]}
        found += [f"`{name}` names {', '.join(sorted(more))} in ours alone"] if more else []
        found += [f"`{name}` names {', '.join(sorted(less))} in the native one alone"] if less else []
    return found


def _share(platform: str, rows: Sequence[Row], natively: Sequence[Row]) -> str:
    """Say what of that which builds natively builds for a platform; the untried counts against it."""
    tried = [row.platforms[platform].ok for row in rows if platform in row.platforms]
    there = [row.platforms[platform].ok for row in natively if platform in row.platforms]
    fine, left = sum(there), len(natively) - len(there)
    of_tried = f", {100 * fine / len(there):.0f} % of those tried" if there and left else ""
    share = f" ({100 * fine / len(natively):.0f} %{of_tried})" if natively else ""
    return (
        f"* {platform}: of the {len(natively)} that build natively, {fine} are built and called{share}, "
        f"{len(there) - fine} are not, and {left} were not tried. Of all rows: {sum(tried)} of {len(tried)} "
        "tried."
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(result: Result | None) -> str:
    if result is None:
        return "not tried"
    return f"{result.seconds:.0f} s" if result.ok else "no"


def _is_native(native: Mapping[str, Any] | None) -> bool:
    """Tell whether a package builds natively and is not known to fail when it is called."""
    return bool(native and native["ok"] and native.get("called", True))


def _native(native: Mapping[str, Any] | None) -> str:
    if native is None:
        return "not tried"
    return "yes" if _is_native(native) else "built, does not run" if native["ok"] else "no"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _settings(package: Package) -> str:
    said = {k: v for k, v in package.settings.items() if v}
    said |= {"constraints": list(package.constraints)} if package.constraints else {}
    return f"`{json.dumps(said, sort_keys=True)}`" if said else ""


def _said(result: Result) -> str:
    lines = result.reason.splitlines() or [""]
    if lines[0].endswith("does not run:"):
        return f"{lines[0]} {lines[-1]}"
    hint = [line.strip() for line in lines if line.strip().startswith("->")]
    causes = f": {'; '.join(result.causes)}" if result.causes else ""
    return f"{lines[0].rstrip(':')}{causes}{' ' + hint[-1] if hint else ''}"
