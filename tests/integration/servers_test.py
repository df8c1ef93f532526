"""A changed file of equal size after a new image, asked of the real static handlers of three servers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bench.installed import images
from ociwheel.formats.times import CONSTANT, of_content
from tests.integration.repository import ROOT

pytestmark = pytest.mark.slow
SERVERS = ("aiohttp", "django", "starlette")
PROBE = Path(__file__).with_name("static_handlers.py")
OLD, NEW = b"body { color: red }  ", b"body { color: green }"

Ask = Callable[[Path, Mapping[str, Mapping[str, str]]], dict[str, tuple[int, dict[str, str]]]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    venv = images.install(ROOT / "bench/installed/servers.lock", tmp_path_factory.mktemp("servers") / "venv")

    def asked(
        folder: Path, headers: Mapping[str, Mapping[str, str]]
    ) -> dict[str, tuple[int, dict[str, str]]]:
        command = [str(venv / "bin/python"), str(PROBE), str(folder), json.dumps(headers)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return {name: (status, found) for name, (status, found) in json.loads(done.stdout).items()}

    return asked


def deploy(folder: Path, content: bytes, time: int | None = None) -> None:
    """Write the file as an image has it."""
    mtime = of_content(hashlib.sha256(content).hexdigest()) if time is None else time
    (folder / "a.css").write_bytes(content)
    os.utime(folder / "a.css", (mtime, mtime))


def validators(answers: Mapping[str, tuple[int, dict[str, str]]], *names: str) -> dict[str, dict[str, str]]:
    """Return what a browser asks again with, of each server that gave it."""
    of = {"if-none-match": "etag", "if-modified-since": "last-modified"}
    return {
        server: {name: headers[of[name]] for name in names if of[name] in headers}
        for server, (_, headers) in answers.items()
    }


def statuses(answers: Mapping[str, tuple[int, dict[str, str]]]) -> dict[str, int]:
    return {server: status for server, (status, _) in answers.items()}


def same(status: int, *servers: str) -> dict[str, int]:
    return dict.fromkeys(servers or SERVERS, status)


def test_what_is_changed_is_served(ask: Ask, tmp_path: Path) -> None:
    deploy(tmp_path, OLD)
    first = ask(tmp_path, {server: {} for server in SERVERS})
    assert statuses(first) == same(200)
    both = validators(first, "if-none-match", "if-modified-since")
    # Django's handler gives no ETag.
    assert {server: len(headers) for server, headers in both.items()} == {**same(2), "django": 1}
    assert statuses(ask(tmp_path, both)) == same(304)
    deploy(tmp_path, NEW)
    tagged = {server: headers for server, headers in both.items() if server != "django"}
    assert statuses(ask(tmp_path, tagged)) == same(200, "aiohttp", "starlette")
    by_tag = validators({s: first[s] for s in tagged}, "if-none-match")
    assert statuses(ask(tmp_path, by_tag)) == same(200, "aiohttp", "starlette")


def test_a_constant_time_would_hide_the_change(ask: Ask, tmp_path: Path) -> None:
    deploy(tmp_path, OLD, CONSTANT)
    asked = validators(ask(tmp_path, {s: {} for s in SERVERS}), "if-none-match", "if-modified-since")
    deploy(tmp_path, NEW, CONSTANT)
    assert statuses(ask(tmp_path, asked)) == same(304)


def test_by_time_alone_only_a_time_that_grows_tells(ask: Ask, tmp_path: Path) -> None:
    """What `source_date_epoch` is for: a time made from content may lie before that of the file it replaces."""
    earlier, later = sorted((OLD, NEW), key=lambda content: of_content(hashlib.sha256(content).hexdigest()))
    everyone: dict[str, dict[str, str]] = {server: {} for server in SERVERS}
    deploy(tmp_path, later)
    asked = validators(ask(tmp_path, everyone), "if-modified-since")
    deploy(tmp_path, earlier)
    assert statuses(ask(tmp_path, asked)) == same(304)
    deploy(tmp_path, OLD, 1_750_000_000)
    asked = validators(ask(tmp_path, everyone), "if-modified-since")
    deploy(tmp_path, NEW, 1_750_086_400)
    assert statuses(ask(tmp_path, asked)) == same(200)
