"""Asks the static file handlers of aiohttp, Django and starlette for a file, and prints their answers as JSON.

Run by servers_test.py in an environment that has the three: arguments are a folder, and headers by server.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp  # type: ignore[import-not-found]
import django  # type: ignore[import-not-found]
from aiohttp import web
from django.conf import settings  # type: ignore[import-not-found]
from django.test import RequestFactory  # type: ignore[import-not-found]
from django.views.static import serve  # type: ignore[import-not-found]
from starlette.staticfiles import StaticFiles

Headers = dict[str, str]
Answer = tuple[int, Headers]


def of_django(folder: Path, headers: Headers) -> Answer:
    given = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    found = serve(RequestFactory().get("/a.css", **given), "a.css", document_root=folder)
    return found.status_code, {name.lower(): value for name, value in found.items()}


async def of_aiohttp(folder: Path, headers: Headers) -> Answer:
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    url = f"http://127.0.0.1:{port}/a.css"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as found:
        answer = found.status, {name.lower(): value for name, value in found.headers.items()}
    await runner.cleanup()
    return answer


async def of_starlette(folder: Path, headers: Headers) -> Answer:
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()  # the client stays
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/a.css",
        "root_path": "",
        "headers": raw,
    }
    await StaticFiles(directory=folder)(scope, receive, send)
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def answers(folder: Path, asked: dict[str, Headers]) -> dict[str, Answer]:
    found = {}
    for name, headers in asked.items():
        if name == "django":
            found[name] = await asyncio.to_thread(of_django, folder, headers)
        else:
            found[name] = await {"aiohttp": of_aiohttp, "starlette": of_starlette}[name](folder, headers)
    return found


if __name__ == "__main__":
    settings.configure(ALLOWED_HOSTS=["*"])
    django.setup()
    print(json.dumps(asyncio.run(answers(Path(sys.argv[1]), json.loads(sys.argv[2])))))
