"""A changed file of equal size, before and after a deployment, as servers and archives see it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import zipfile
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.staticfiles import StaticFiles

from ociwheel.formats.times import CONSTANT, of_content

_OLD, _NEW = b"body { color: red }  ", b"body { color: green }"


def _time(content: bytes) -> int:
    return of_content(hashlib.sha256(content).hexdigest())


def _deploy(folder: Path, content: bytes, time: int) -> None:
    (folder / "a.css").write_bytes(content)
    os.utime(folder / "a.css", (time, time))


def _get(folder: Path, **headers: str) -> tuple[int, dict[str, str]]:
    """Ask starlette's static files for a.css."""
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()  # the client stays
        return {}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/a.css", "root_path": "", "headers": raw}
    asyncio.run(StaticFiles(directory=folder)(scope, receive, send))  # type: ignore[arg-type]
    found = dict(sent[0]["headers"])  # type: ignore[call-overload]
    status = sent[0]["status"]
    assert isinstance(status, int)
    return status, {name.decode(): value.decode() for name, value in found.items()}


def _aiohttp(mtime: int, size: int, *, none_match: str | None, since: str | None) -> int:
    """What aiohttp's FileResponse answers: If-Modified-Since counts only without If-None-Match."""
    if none_match is not None:
        return 304 if none_match == f"{mtime * 10**9:x}-{size:x}" else 200
    return 304 if since and mtime <= parsedate_to_datetime(since).timestamp() else 200


def _django(mtime: int, *, since: str) -> int:
    """What django.views.static.serve answers: it knows If-Modified-Since alone."""
    return 200 if mtime > parsedate_to_datetime(since).timestamp() else 304


def test_a_constant_would_hide_the_change(tmp_path: Path) -> None:
    _deploy(tmp_path, _OLD, CONSTANT)
    _, before = _get(tmp_path)
    _deploy(tmp_path, _NEW, CONSTANT)
    assert _get(tmp_path, if_none_match=before["etag"])[0] == 304


def test_starlette_serves_the_changed_file(tmp_path: Path) -> None:
    _deploy(tmp_path, _OLD, _time(_OLD))
    _, before = _get(tmp_path)
    assert _get(tmp_path, if_none_match=before["etag"])[0] == 304
    _deploy(tmp_path, _NEW, _time(_NEW))
    assert _get(tmp_path, if_none_match=before["etag"])[0] == 200
    both = {"if_none_match": before["etag"], "if_modified_since": before["last-modified"]}
    assert _get(tmp_path, **both)[0] == 200


def test_aiohttp_serves_the_changed_file() -> None:
    old, new, size = _time(_OLD), _time(_NEW), len(_OLD)
    etag, since = f"{old * 10**9:x}-{size:x}", formatdate(old, usegmt=True)
    assert _aiohttp(old, size, none_match=etag, since=since) == 304
    assert _aiohttp(new, size, none_match=etag, since=since) == 200
    assert _aiohttp(new, size, none_match=etag, since=None) == 200


def test_who_asks_by_time_alone_needs_a_time_that_grows(tmp_path: Path) -> None:
    """Why the field ``source_date_epoch`` is there: no time made from content can do this."""
    earlier, later = sorted((_OLD, _NEW), key=_time)
    since = formatdate(_time(later), usegmt=True)
    assert _django(_time(earlier), since=since) == 304
    _deploy(tmp_path, earlier, _time(earlier))
    assert _get(tmp_path, if_modified_since=since)[0] == 304
    release, following = 1_750_000_000, 1_750_086_400
    since = formatdate(release, usegmt=True)
    assert _django(following, since=since) == 200
    _deploy(tmp_path, earlier, following)
    assert _get(tmp_path, if_modified_since=since)[0] == 200


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+12", "Pacific/Kiritimati"])
def test_archives_take_files_of_an_image_in_every_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    import time  # noqa: PLC0415

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        (tmp_path / "in").mkdir()
        _deploy(tmp_path / "in", b"", CONSTANT)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(tmp_path / "in/a.css")
        shutil.make_archive(str(tmp_path / "b"), "zip", tmp_path / "in")
        os.utime(tmp_path / "in/a.css", (0, 0))
        with pytest.raises(ValueError, match="1980"), zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
            archive.write(tmp_path / "in/a.css")
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.binary())
def test_a_time_follows_from_content_alone_and_is_past(content: bytes) -> None:
    assert _time(content) == _time(bytes(content))
    assert CONSTANT <= _time(content) < 1_400_000_000
