"""Starts the history service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from brewblox_history.journal import Journal, MemoryJournal, RedisJournal
from brewblox_history.retention import read_retention
from brewblox_history.routes import create_router
from brewblox_history.series import Store
from brewblox_history.settings import HistorySettings
from brewblox_service import create_app, run


def build(settings: HistorySettings, journal: Journal | None = None) -> FastAPI:
    """Return the application of the history service.

    :param journal: where points are kept; by default what the settings say.
    """
    kept = journal or (RedisJournal(settings.redis_url) if settings.redis_url else MemoryJournal())
    store = Store(read_retention(settings.retention_file))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async for topic, point in kept.replay():
            store.add(topic, point)
        try:
            yield
        finally:
            await kept.close()

    return create_app(settings, routers=[create_router(store, kept)], lifespan=lifespan)


def main() -> None:
    """Serve with the settings of the environment."""
    settings = HistorySettings()
    run(build(settings), settings)


if __name__ == "__main__":
    main()
