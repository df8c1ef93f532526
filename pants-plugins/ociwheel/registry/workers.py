"""Threads that ask and send, of one push or of several that share them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_Asked = TypeVar("_Asked")
_Told = TypeVar("_Told")
_Other = TypeVar("_Other")


class Workers:
    """A context manager.

    :param jobs: how many things are done at the same time.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._made: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            self._made.shutdown()

    def each(self, work: Callable[[_Asked], _Told], items: Iterable[_Asked]) -> list[_Told]:
        """Do something with each item; the first error of one ends it, and what has not begun.

        Not for a worker to call, which would wait for itself.
        """
        return self._all([self._pool().submit(work, item) for item in items])

    def two(
        self, some: Iterable[Callable[[], _Told]], others: Iterable[Callable[[], _Other]]
    ) -> tuple[list[_Told], list[_Other]]:
        """Do things of two sorts at the same time."""
        first = [self._pool().submit(one) for one in some]
        second = [self._pool().submit(one) for one in others]
        try:
            return self._all(first), self._all(second)
        finally:
            for future in second:
                future.cancel()

    def _pool(self) -> ThreadPoolExecutor:
        # What asks only whether the tags are right loads no more than that.
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        with self._lock:
            self._made = self._made or ThreadPoolExecutor(self._jobs)
            return self._made

    @staticmethod
    def _all(futures: list[Future[_Told]]) -> list[_Told]:
        from concurrent.futures import FIRST_EXCEPTION, wait  # noqa: PLC0415 (as above)

        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            for future in futures:
                future.cancel()
        for future in futures:
            if not future.cancelled() and (error := future.exception()):
                raise error
        return [future.result() for future in futures]
