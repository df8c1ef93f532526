"""Publish and subscribe inside one process: what the websocket route hands out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


def topic_matches(pattern: str, topic: str) -> bool:
    """Tell whether an MQTT topic filter matches a topic.

    MQTT 5, 4.7.1: ``+`` stands for one level, ``#`` at the end for any number of levels, the parent included.
    """
    wanted, given = pattern.split("/"), topic.split("/")
    for index, part in enumerate(wanted):
        if part == "#":
            return index == len(wanted) - 1
        if index >= len(given) or part not in ("+", given[index]):
            return False
    return len(wanted) == len(given)


@dataclass(frozen=True)
class Event:
    """One message and where it belongs."""

    topic: str
    payload: Any


class Subscription:
    """The events of one listener. A listener that is too slow loses its oldest events, never the newest."""

    def __init__(self, pattern: str, size: int) -> None:
        self.pattern = pattern
        self._queue: asyncio.Queue[Event] = asyncio.Queue(size)

    def put(self, event: Event) -> None:
        """Add an event, dropping the oldest when there is no room."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self._queue.get()


class EventBus:
    """Hands each published event to every subscription whose pattern matches."""

    def __init__(self, queue_size: int = 100) -> None:
        self._queue_size = queue_size
        self._subscriptions: list[Subscription] = []

    @property
    def listeners(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    @contextmanager
    def subscribe(self, pattern: str) -> Iterator[Subscription]:
        """Listen to the topics that match ``pattern`` as long as the context lasts."""
        subscription = Subscription(pattern, self._queue_size)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)

    def publish(self, topic: str, payload: Any) -> int:
        """Hand out an event and return how many listeners got it."""
        event = Event(topic, payload)
        matching = [each for each in self._subscriptions if topic_matches(each.pattern, topic)]
        for subscription in matching:
            subscription.put(event)
        return len(matching)
