from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from brewblox_service.client import ServiceClient, ServiceUnavailable


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/down":
        raise httpx.ConnectError("refused")
    if request.url.path == "/missing":
        return httpx.Response(404)
    return httpx.Response(200, json={"method": request.method, "query": str(request.url.query, "ascii")})


async def call(method: str, path: str, **options: Any) -> Any:
    async with ServiceClient("http://other:5000", transport=httpx.MockTransport(answer)) as client:
        return await getattr(client, method)(path, **options)


def test_get_and_post_return_the_answer() -> None:
    assert asyncio.run(call("get", "/ok", limit=3)) == {"method": "GET", "query": "limit=3"}
    assert asyncio.run(call("post", "/ok", body={})) == {"method": "POST", "query": ""}


def test_an_error_names_method_and_address() -> None:
    with pytest.raises(ServiceUnavailable, match="GET http://other:5000/missing: 404"):
        asyncio.run(call("get", "/missing"))
    with pytest.raises(ServiceUnavailable, match="POST http://other:5000/down: refused"):
        asyncio.run(call("post", "/down", body={}))
