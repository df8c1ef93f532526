"""The application that every service is built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import resources

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from brewblox_service import health, streams
from brewblox_service.events import EventBus
from brewblox_service.health import HealthCheck
from brewblox_service.settings import ServiceSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def _page(settings: ServiceSettings) -> str:
    template = resources.files("brewblox_service").joinpath("index.html").read_text(encoding="utf-8")
    return template.replace("{{ name }}", settings.name)


def create_app(
    settings: ServiceSettings,
    *,
    routers: Sequence[APIRouter] = (),
    checks: dict[str, HealthCheck] | None = None,
    bus: EventBus | None = None,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Return an application with ``/``, ``/health``, ``/events`` and the service's own routes.

    :param settings: name and options of the service.
    :param routers: the service's own routes.
    :param checks: parts of the service that ``/health`` asks, by name.
    :param bus: where events are published; a new one by default.
    :param lifespan: what to open at the start and close at the end.
    """
    app = FastAPI(title=settings.name, debug=settings.debug, lifespan=lifespan)
    app.state.settings = settings
    app.state.bus = bus or EventBus(settings.queue_size)
    page = _page(settings)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def index() -> str:
        return page

    app.include_router(health.create_router(settings.name, checks or {}))
    app.include_router(streams.create_router(app.state.bus))
    for router in routers:
        app.include_router(router)
    return app


def run(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve ``app`` until the process is told to stop."""
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="debug" if settings.debug else "info")
