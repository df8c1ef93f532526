"""``/events``: publish over HTTP, listen over a websocket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

from brewblox_service.events import EventBus, Subscription


class Published(BaseModel):
    """The answer to a published event."""

    topic: str
    listeners: int


async def _forward(websocket: WebSocket, subscription: Subscription) -> None:
    async for event in subscription:
        await websocket.send_json({"topic": event.topic, "payload": event.payload})


async def _until_closed(websocket: WebSocket) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.receive_text()


def create_router(bus: EventBus) -> APIRouter:
    """Return the routes of ``/events`` over ``bus``."""
    router = APIRouter(prefix="/events", tags=["events"])

    @router.post("/{topic:path}")
    async def publish(topic: str, payload: dict[str, Any]) -> Published:
        """Hand an event to everyone who listens to its topic."""
        return Published(topic=topic, listeners=bus.publish(topic, payload))

    @router.websocket("")
    async def listen(websocket: WebSocket, pattern: str = "#") -> None:
        """Send every event whose topic matches ``pattern`` until the client leaves."""
        with bus.subscribe(pattern) as subscription:
            await websocket.accept()
            forward = asyncio.create_task(_forward(websocket, subscription))
            try:
                await _until_closed(websocket)
            finally:
                forward.cancel()
                with suppress(asyncio.CancelledError):
                    await forward

    return router
