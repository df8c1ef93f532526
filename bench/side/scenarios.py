"""What is measured: each scenario brings a contender into a state, and measures what it then does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.side.contenders.base import ARM, Contender
from bench.side.images import Node
from bench.side.meter import Sample
from bench.side.repository import (
    COMPILED_LINE,
    FOURTH,
    FOURTH_SOURCE,
    PURE_LINE,
    SERVICE,
    SERVICES,
    SPARK,
    Edit,
    LockLine,
)
from bench.side.site import Site

Record = Callable[[str, Sample, dict[str, float]], None]
"""Takes a scenario's key, a sample, and further figures."""


@dataclass
class Turn:
    """One contender in one repeat.

    :param record: where measurements go.
    :param built: whether everything has been built from sources without an edit, and nothing else.
    :param ever_built: whether a build from nothing has worked in this turn.
    :param misses: how often the mirror had to go to the network.
    """

    site: Site
    contender: Contender
    repeat: int
    record: Record
    built: bool = False
    ever_built: bool = False
    misses: int = 0

    def measure(self, key: str, action: Callable[[], None], **figures: float) -> None:
        """Measure an action and record it."""
        with self.site.meter.measure() as sample:
            action()
        self.misses += sample.misses
        self.record(key, sample, figures)

    def ensure_built(self) -> None:
        """Bring the contender into the state in which everything has been built once."""
        if not self.built:
            self.contender.reset()
            self.contender.build()
            self.built = self.ever_built = True

    def mark(self) -> str:
        """Return a text that no edit had before."""
        return f"{self.contender.name} {self.repeat} {time.time_ns()}"


@dataclass(frozen=True)
class Scenario:
    """A scenario.

    :param key: on the command line and in results.
    :param rows: the keys it records; its own by default.
    :param quick: whether it is one of `--quick`.
    :param limit: seconds after which a contender's command is ended.
    """

    key: str
    title: str
    run: Callable[[Turn], None]
    quick: bool = True
    rows: tuple[str, ...] = ()
    limit: float = 1800

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it records."""
        return self.rows or (self.key,)


def _cold(turn: Turn) -> None:
    turn.contender.reset()
    turn.measure("cold", turn.contender.build)
    turn.built = turn.ever_built = True


def _same(turn: Turn) -> None:
    turn.ensure_built()
    turn.measure("same", turn.contender.build)


def _edited(turn: Turn, key: str, edit: Edit) -> None:
    """Measure the build after an edit, then build without it again."""
    with turn.contender.copy.edited(edit):
        turn.measure(key, turn.contender.build)
    turn.contender.build()


def _source(turn: Turn) -> None:
    turn.ensure_built()
    _edited(turn, "source", turn.contender.copy.source_edit(SPARK, turn.mark()))


def _shared(turn: Turn) -> None:
    turn.ensure_built()
    _edited(turn, "shared", turn.contender.copy.source_edit(SERVICE, turn.mark()))


def _line(key: str, line: LockLine) -> Callable[[Turn], None]:
    def run(turn: Turn) -> None:
        turn.ensure_built()
        _edited(turn, key, turn.contender.copy.lock_edit(line))

    return run


def _fourth(turn: Turn) -> None:
    turn.ensure_built()
    contender = turn.contender
    folder = f"src/brewblox/{FOURTH.name}/{FOURTH.module}"
    sources = {f"{folder}/__main__.py": FOURTH_SOURCE, f"{folder}/__init__.py": f'"""{turn.mark()}."""\n'}
    with contender.copy.edited(Edit({**sources, **contender.files_of(FOURTH)})):
        turn.measure("fourth", lambda: contender.build((*SERVICES, FOURTH)))
    contender.build()


def _publish(turn: Turn) -> None:
    """Publish what was built; after an edit, again; and pull it where the version before is."""
    turn.ensure_built()
    contender = turn.contender
    turn.measure("publish-first", contender.publish)
    with Node(turn.site) as node:
        for service in SERVICES:
            node.pull(contender.reference(service))
        with contender.copy.edited(contender.copy.source_edit(SPARK, turn.mark())):
            contender.build()
            size = float(len(contender.copy.source_text(SPARK)))
            turn.measure("publish", contender.publish, source_bytes=size)
        turn.measure("pull", lambda: node.pull(contender.reference(SPARK)))
    contender.build()


def _deliver(turn: Turn) -> None:
    """Bring an edit into a registry that has what was there before."""
    turn.ensure_built()
    contender = turn.contender
    contender.publish()
    with contender.copy.edited(contender.copy.source_edit(SPARK, turn.mark())):
        turn.measure("deliver", contender.deliver)
    contender.build()


def _cache(turn: Turn) -> None:
    turn.ensure_built()
    turn.contender.fill_cache()
    turn.contender.take_cache()
    turn.built = False
    try:
        turn.measure("cache", turn.contender.build)
    finally:
        turn.contender.leave_cache()


def _arm(turn: Turn) -> None:
    """Build for a foreign platform, from nothing."""
    other = type(turn.contender)(turn.site, ARM)
    try:
        other.prepare()
        other.reset()
        turn.measure("arm", other.build)
    finally:
        other.close()


def _start(turn: Turn) -> None:
    """Start each service in an engine of its own, and import it for the first time in a new container."""
    turn.ensure_built()
    with Node(turn.site) as node:
        for service in SERVICES:
            image = turn.contender.load(node.engine, service)
            answer = node.seconds_to_answer(image, service)
            imported = node.seconds_to_import(image, service, turn.contender.python)
            figures = {"answer_seconds": answer, "import_seconds": imported}
            turn.record(f"start-{service.name}", Sample(), figures)


def _size(turn: Turn) -> None:
    """Measure each image: bytes and files do not change from repeat to repeat."""
    turn.ensure_built()
    with Node(turn.site) as node:
        for service in SERVICES:
            image = turn.contender.load(node.engine, service)
            turn.record(f"size-{service.name}", Sample(), node.sizes(image))


def _of_services(key: str) -> tuple[str, ...]:
    return tuple(f"{key}-{service.name}" for service in SERVICES)


SCENARIOS = (
    Scenario("cold", "cold", _cold),
    Scenario("same", "nothing changed", _same),
    Scenario("source", "one source file of `devcon_spark`", _source),
    Scenario("shared", "one source file of the shared library", _shared),
    Scenario("fourth", "a fourth image, same dependencies", _fourth),
    Scenario("pure", "one pure-Python lock line", _line("pure", PURE_LINE)),
    Scenario("compiled", "one compiled lock line", _line("compiled", COMPILED_LINE)),
    Scenario("publish", "publish and pull", _publish, rows=("publish-first", "publish", "pull")),
    # After it: the registry shall have none of a contender's images when it is first published.
    Scenario("deliver", "from an edit to the registry", _deliver),
    Scenario("size", "sizes", _size, rows=_of_services("size")),
    Scenario("start", "start", _start, rows=_of_services("start")),
    Scenario("cache", "a fresh machine with a filled cache", _cache, quick=False),
    Scenario("arm", "linux/arm/v7, cold", _arm, quick=False, limit=1200),
)
# Measured once per contender, whatever the number of repeats.
ONCE = ("size", "arm")
