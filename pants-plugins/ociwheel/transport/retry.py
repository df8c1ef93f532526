"""Another attempt where one may help: the one loop that makes them, longer apart each time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ociwheel.notes import note
from ociwheel.transport.failure import Failure

_T = TypeVar("_T")


@dataclass(frozen=True)
class Retry:
    """How often, and how far apart.

    :param attempts: the first included.
    :param backoff: seconds before the second attempt; doubled before each further one.
    :param cap: seconds: the longest pause, also where a server asks for a longer one: a build waits for us.
    :param spread: clients that were refused together do not come back together.
    :param sleep: how to wait, seconds.
    """

    attempts: int
    backoff: float
    cap: float
    spread: bool = False
    sleep: Callable[[float], None] = time.sleep

    def run(self, once: Callable[[], _T], what: str = "") -> _T:
        """Do something until it is no :class:`Failure` that may pass.

        :param what: it, for the notes; by default, the URL that failed.
        :raises Failure: that of the last attempt, or one that no attempt mends.
        """
        attempt = 0
        while True:
            try:
                return once()
            except Failure as e:
                attempt += 1
                if e.retry_after is None or attempt == self.attempts:
                    raise
                self.pause(what or e.url, e.answer, attempt, e.retry_after)

    def pause(self, what: str, reason: str, attempt: int, asked: float = 0.0) -> None:
        """Wait after an attempt.

        :param attempt: its number, from 1.
        :param asked: the pause that the server asks for, seconds.
        """
        own = self.backoff * 2 ** (attempt - 1)
        own *= random.uniform(0.5, 1) if self.spread else 1  # noqa: S311 (no secret)
        seconds = min(max(asked, own), self.cap)
        note(f"{what}: {reason}; trying again in {seconds:.1f} s")
        self.sleep(seconds)
