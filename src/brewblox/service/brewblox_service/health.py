"""``/health``: what an orchestrator asks to learn whether the service works."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

HealthCheck = Callable[[], bool]
"""Tells whether one part of the service works. An exception counts as "no"."""


class Health(BaseModel):
    """The answer of ``/health``."""

    name: str
    status: str
    uptime: float
    checks: dict[str, bool]


def _passes(check: HealthCheck) -> bool:
    try:
        return check()
    except Exception:  # noqa: BLE001  whatever a check fails with, the answer is "does not work"
        return False


def create_router(name: str, checks: dict[str, HealthCheck]) -> APIRouter:
    """Return the routes of ``/health``.

    :param name: the name of the service.
    :param checks: parts of the service by name; one that fails makes the answer a 503.
    """
    router = APIRouter(tags=["health"])
    started = time.monotonic()

    @router.get("/health", response_model=Health, responses={503: {"model": Health}})
    async def health() -> JSONResponse:
        """Tell whether the service and each of its parts works."""
        results = {part: _passes(check) for part, check in checks.items()}
        working = all(results.values())
        answer = Health(
            name=name,
            status="ok" if working else "failing",
            uptime=round(time.monotonic() - started, 3),
            checks=results,
        )
        return JSONResponse(answer.model_dump(), status_code=200 if working else 503)

    return router
