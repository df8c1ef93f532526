"""The doors of index pages and of what answers hold beside their bodies."""

from __future__ import annotations

import json
from pathlib import Path

from packaging.specifiers import SpecifierSet

from ociwheel.errors import FetchError
from ociwheel.fetch.simple_api import JSON_TYPE, IndexPageError, belongs_to, parse_page
from ociwheel.plan.newest import VersionLimits, newest_wheel
from ociwheel.transport.credentials import Credentials
from ociwheel.transport.failure import Failure
from ociwheel.transport.redirect import redirected
from ociwheel.transport.settings import host_of
from ociwheel.transport.urls import split_userinfo
from tests.fuzz.harness import Door
from tests.fuzz.texts import json_maker, line_maker
from tests.support.values import target_of

_URL = "https://host/simple/demo/"
_A = "a" * 64
_PAGE = {
    "meta": {"api-version": "1.1"},
    "name": "demo",
    "files": [
        {
            "filename": "demo-1.0-py3-none-any.whl",
            "url": f"../../files/demo-1.0-py3-none-any.whl#sha256={_A}",
            "hashes": {"sha256": _A},
            "size": 10,
            "requires-python": ">=3.8",
            "yanked": "bad",
            "core-metadata": {"sha256": _A},
        },
        {"filename": "demo-1.0.tar.gz", "url": "https://f/demo-1.0.tar.gz", "hashes": {}, "yanked": False},
    ],
}
_HTML = f"""<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1"><base href="/f/"></head>
<body><a href="demo-1.0-py3-none-any.whl#sha256={_A}" data-requires-python="&gt;=3.8">demo-1.0-py3-none-any.whl</a>
<a href='../demo-1.0.tar.gz' data-yanked>demo</a><!-- x --><script>"<a>"</script></body></html>"""
_HTML_WORDS = (
    *(
        "<a ",
        "href=",
        '"',
        "'",
        ">",
        "</a>",
        "<",
        "</",
        "/",
        "demo-1-py3-none-any.whl",
        "demo-1.zip",
        "#sha256=",
        _A,
    ),
    *(
        "<!--",
        "-->",
        "<!",
        "<?",
        "<script>",
        "</script>",
        "<title>",
        "&#",
        "9",
        "&amp;",
        ";",
        "=",
        " ",
        "\n",
        "x",
        "../",
    ),
    *(
        "<base href=",
        "<meta name=pypi:repository-version content=",
        "1.0",
        "https://",
        "file:///",
        "[",
        "data-yanked",
    ),
)
_URL_WORDS = (
    "https://",
    "http:",
    "//",
    "/",
    "..",
    "?",
    "#",
    "@",
    ":",
    "[",
    "]",
    "%",
    "a",
    "host",
    "99999",
    "\t",
    "é",
    ";",
)


def _read(kind: str, data: bytes) -> None:
    try:
        files = parse_page(data, kind, _URL)
        target = target_of()
        newest_wheel("demo", files[:100], VersionLimits(SpecifierSet(), prereleases=False), target)
        for file in files[:100]:
            belongs_to(file.filename, "demo", "1.0")
            redirected("https://host/", file.url)
            file.filename.encode()
    except (IndexPageError, Failure) as e:
        # As the callers report them.
        raise FetchError(str(e)) from e


def _json(data: bytes, folder: Path) -> None:
    _read(JSON_TYPE, data)


def _html(data: bytes, folder: Path) -> None:
    _read("text/html", data)


def _urls(data: bytes, folder: Path) -> None:
    text = data.decode(errors="replace")[:10_000]
    split_userinfo(text)
    host_of(text)
    Credentials([text], None, None).login(text)
    try:
        redirected("https://jo:x@host/a", text)
        redirected(text, "b")
    except Failure as e:
        raise FetchError(str(e)) from e


DOORS = (
    Door("index-json", _json, lambda: [json.dumps(_PAGE).encode()], json_maker([_PAGE])),
    Door("index-html", _html, lambda: [_HTML.encode()], line_maker(_HTML_WORDS)),
    Door("urls", _urls, lambda: [b"https://jo:x@host:8080/a/b?c=d#e"], line_maker(_URL_WORDS)),
)
