"""Runs scenarios: repeats outside, contenders inside, so that a busy hour does not hit one alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.side.contenders import Contender
from bench.side.meter import Sample
from bench.side.records import Log
from bench.side.scenarios import ONCE, Record, Scenario, Turn
from bench.side.site import ContenderError, Site, TimeLimitError
from tests.support.engine import EngineError
from tests.support.remote_cache import ServerError

# How often a scenario is run again when the mirror had to go to the network in it.
_TRIES = 3


def say(text: str) -> None:
    """Print a progress line."""
    print(f"{time.strftime('%H:%M:%S')} bench/run: {text}", file=sys.stderr, flush=True)


@dataclass
class _Pending:
    """What a scenario measured, kept until it is known whether it counts."""

    key: str
    sample: Sample
    figures: dict[str, float]


class Runner:
    """Runs what is not in the log yet.

    :param repeats: how often each scenario is run.
    """

    def __init__(self, site: Site, log: Log, scenarios: Sequence[Scenario], repeats: int) -> None:
        self._site = site
        self._log = log
        self._scenarios = scenarios
        self._repeats = repeats

    def run(self, contenders: Sequence[type[Contender]]) -> None:
        """Run everything."""
        for repeat in range(1, self._repeats + 1):
            for kind in contenders:
                wanted = [one for one in self._scenarios if self._is_wanted(one, kind, repeat)]
                if wanted:
                    self._turn(kind, repeat, wanted)

    def _is_wanted(self, scenario: Scenario, kind: type[Contender], repeat: int) -> bool:
        if repeat > 1 and scenario.key in ONCE:
            return False
        return not all(self._log.has(kind.name, key, repeat) for key in scenario.keys)

    def _turn(self, kind: type[Contender], repeat: int, scenarios: Sequence[Scenario]) -> None:
        """Run a contender's scenarios one after the other."""
        contender = kind(self._site)
        turn = Turn(self._site, contender, repeat, lambda *_: None)
        try:
            contender.prepare()
            for scenario in scenarios:
                works = self._scenario(turn, scenario)
                if not works and not turn.ever_built:
                    say(f"{kind.name}: builds nothing at all, so the rest is left out")
                    break
        finally:
            contender.close()

    def _scenario(self, turn: Turn, scenario: Scenario) -> bool:
        """Run a scenario and log it; return whether there was no error."""
        name = turn.contender.name
        reason = turn.contender.limits.get(scenario.key)
        if reason:
            for key in scenario.keys:
                self._log.reason(name, key, turn.repeat, reason, failed=False)
            return True
        try:
            found = self._measured(turn, scenario)
        except TimeLimitError:
            turn.built = False
            for key in scenario.keys:
                text = f"not done after {scenario.limit:.0f} s, so ended"
                self._log.reason(name, key, turn.repeat, text, failed=False)
            return True
        except (ContenderError, EngineError, ServerError, ValueError, OSError) as error:
            say(f"{name}: {scenario.title}: FAILED: {error}")
            turn.built = False
            first = str(error).splitlines()[0]
            for key in scenario.keys:
                self._log.reason(name, key, turn.repeat, first, failed=True)
            return False
        finally:
            self._site.deadline = None
        for one in found:
            entry = self._log.sample(name, one.key, turn.repeat, one.sample, one.figures)
            shown = ", ".join(f"{k} {v:g}" for k, v in entry.figures.items() if v)
            say(f"[{entry.line}] {name}, {one.key}, repeat {turn.repeat}: {shown}")
        return True

    def _measured(self, turn: Turn, scenario: Scenario) -> list[_Pending]:
        """Run a scenario until nothing in it came from the network."""
        for _ in range(_TRIES):
            found: list[_Pending] = []
            turn.record = _collector(found)
            turn.misses = 0
            self._site.deadline = time.monotonic() + scenario.limit
            scenario.run(turn)
            if not turn.misses:
                return found
            say(f"{turn.contender.name}: {scenario.title}: {turn.misses} came from the network: once more")
            turn.built = False
        raise ContenderError("the mirror had to go to the network each time")


def _collector(found: list[_Pending]) -> Record:
    def collect(key: str, sample: Sample, figures: dict[str, float]) -> None:
        found.append(_Pending(key, sample, figures))

    return collect
