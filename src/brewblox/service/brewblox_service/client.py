"""Calls from one service to another."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx


class ServiceUnavailable(Exception):  # noqa: N818  named for what the caller learns
    """Another service did not answer, or answered with an error."""


class ServiceClient:
    """A client for one other service; use it as an asynchronous context manager.

    :param base_url: where the service is, ``http://history:5000``.
    :param timeout: seconds to wait for an answer.
    :param retries: further tries when no connection could be made.
    :param transport: replaces the network, for tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = 5.0,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout,
            transport=transport or httpx.AsyncHTTPTransport(retries=retries),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str, **params: Any) -> Any:
        """Return the JSON answer of a GET.

        :raises ServiceUnavailable: when there is no answer, or an error.
        """
        return await self._send("GET", path, params=params)

    async def post(self, path: str, body: Any) -> Any:
        """Return the JSON answer of a POST.

        :raises ServiceUnavailable: when there is no answer, or an error.
        """
        return await self._send("POST", path, json=body)

    async def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = await self._client.request(method, path, **options)
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise ServiceUnavailable(f"{method} {error.request.url}: {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"{method} {self._client.base_url.join(path)}: {error}") from error
        return response.json()
