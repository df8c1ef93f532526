"""From log entries to the numbers of the report: medians, ratios, and the lines that they come from."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.side.records import Entry, Log


@dataclass(frozen=True)
class Cell:
    """What is known of one contender in one scenario.

    :param values: one per repeat.
    :param lines: of the log, where they stand.
    :param reason: why there are none.
    """

    values: tuple[float, ...]
    lines: tuple[int, ...]
    reason: str = ""

    @property
    def median(self) -> float | None:
        """The median, or None without values."""
        return statistics.median(self.values) if self.values else None

    @property
    def ended_after(self) -> float | None:
        """The seconds after which it was ended, or None when it was not."""
        match = re.match(r"not done after (\d+) s", self.reason)
        return float(match[1]) if match else None


def cell(log: Log, contender: str, key: str, figure: str) -> Cell:
    """Return a figure of a contender in a scenario; where a repeat was measured twice, the later one."""
    latest: dict[int, Entry] = {}
    reason = ""
    for entry in log.entries:
        if (entry.contender, entry.key) != (contender, key):
            continue
        if figure in entry.figures:
            latest[entry.repeat] = entry
        elif entry.reason:
            reason = ("failed: " if entry.failed else "") + entry.reason
    found = [latest[repeat] for repeat in sorted(latest)]
    values = tuple(entry.figures[figure] for entry in found)
    return Cell(values, tuple(entry.line for entry in found), "" if found else reason)


@dataclass(frozen=True)
class Target:
    """What ours shall reach, as a share of the best of some others.

    :param figure: of the sample.
    :param share: at most so much of it.
    :param against: contenders; empty is every one but ours and the floor.
    :param of: the scenario of theirs that ours is held against; the same by default.
    """

    key: str
    figure: str
    share: float
    against: tuple[str, ...] = ()
    of: str = ""

    @property
    def their_key(self) -> str:
        """The scenario of theirs."""
        return self.of or self.key


def best(log: Log, target: Target, others: Sequence[str]) -> tuple[str, float] | None:
    """Return the best other contender and its median, or None when none was measured."""
    names = target.against or others
    medians = {name: cell(log, name, target.their_key, target.figure).median for name in names}
    known = [(value, name) for name, value in medians.items() if value is not None]
    return (min(known)[1], min(known)[0]) if known else None


def ended_after(log: Log, key: str, others: Sequence[str]) -> tuple[str, float] | None:
    """Return the contender that was ended after the fewest seconds, and these, or None when none was."""
    ended = {name: cell(log, name, key, "wall").ended_after for name in others}
    found = [(seconds, name) for name, seconds in ended.items() if seconds is not None]
    return (min(found)[1], min(found)[0]) if found else None


def loudest(log: Log) -> dict[int, Entry]:
    """Return the measurement of each turn in which the machine was busiest with anything else."""
    found: dict[int, Entry] = {}
    for entry in log.entries:
        if "load" in entry.figures and (
            entry.repeat not in found or foreign_load(entry) > foreign_load(found[entry.repeat])
        ):
            found[entry.repeat] = entry
    return dict(sorted(found.items()))


def foreign_load(entry: Entry) -> float:
    """Return how many processors others kept busy; where that is not known, the load average."""
    return entry.figures.get("others", entry.figures.get("load", 0.0))


def not_measured(log: Log, contender: str, key: str, figure: str) -> str:
    """Return what a cell without values says."""
    reason = cell(log, contender, key, figure).reason
    return reason or "not measured"
