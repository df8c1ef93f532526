"""Pages of the simple API, as indexes write them and as nobody should."""

from __future__ import annotations

import json
import string
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.fetch import simple_api
from ociwheel.fetch.simple_api import (
    JSON_TYPE,
    IndexFile,
    IndexPageError,
    belongs_to,
    filename_of,
    normalize,
    parse_page,
)

URL = "https://index.example/root/simple/demo/"
A, B = "a" * 64, "b" * 64

HTML = f"""
<!DOCTYPE html>
<html><head>
<meta name="pypi:repository-version" content="1.1">
<base href="../../packages/">
</head><body>
<a href="d/demo-1.0-py3-none-any.whl#sha256={A}" data-requires-python="&gt;=3.8"
 data-core-metadata="sha256={B}">
  demo-1.0-py3-none-any.whl</a>
<A HREF="https://files.example/demo-1.0.tar.gz#md5=00" data-yanked="it is bad">demo-1.0.tar.gz</A>
<a href="demo-1.0%2Blocal-py3-none-any.whl" data-dist-info-metadata="true">x</a>
<a href="file:///etc/demo-1.0.tar.gz">demo-1.0.tar.gz</a>
<a href="javascript:demo-1.0.zip">demo-1.0.zip</a>
<a href="demo-1.0.exe">demo-1.0.exe</a>
<a>nothing</a>
</body></html>
"""


def test_html_page() -> None:
    assert parse_page(HTML.encode(), "text/html", URL) == (
        IndexFile(
            "demo-1.0-py3-none-any.whl",
            "https://index.example/root/packages/d/demo-1.0-py3-none-any.whl",
            sha256=A,
            requires_python=">=3.8",
            has_metadata=True,
            metadata_sha256=B,
        ),
        IndexFile(
            "demo-1.0.tar.gz", "https://files.example/demo-1.0.tar.gz", yanked=True, yanked_why="it is bad"
        ),
        IndexFile(
            "demo-1.0+local-py3-none-any.whl",
            "https://index.example/root/packages/demo-1.0%2Blocal-py3-none-any.whl",
            has_metadata=True,
        ),
    )


def page(*files: object, **meta: object) -> bytes:
    return json.dumps({"meta": {"api-version": "1.3", **meta}, "files": list(files)}).encode()


def test_json_page() -> None:
    wheel = {
        "filename": "demo-1.0-py3-none-any.whl",
        "url": "../../d/demo-1.0-py3-none-any.whl",
        "hashes": {"sha256": A.upper(), "md5": "00"},
        "requires-python": ">=3.8",
        "size": 12,
        "yanked": "it is bad",
        "core-metadata": {"sha256": B},
        "upload-time": "2020-01-01T00:00:00Z",
    }
    sdist = {"filename": "demo-1.0.zip", "url": f"/demo-1.0.zip#sha256={B}", "hashes": {}, "yanked": False}
    assert parse_page(page(wheel, sdist), f"{JSON_TYPE}; charset=utf-8", URL) == (
        IndexFile(
            "demo-1.0-py3-none-any.whl",
            "https://index.example/root/d/demo-1.0-py3-none-any.whl",
            sha256=A,
            size=12,
            requires_python=">=3.8",
            yanked=True,
            yanked_why="it is bad",
            has_metadata=True,
            metadata_sha256=B,
        ),
        IndexFile("demo-1.0.zip", "https://index.example/demo-1.0.zip", sha256=B),
    )


@pytest.mark.parametrize("bad", ["../x-1.0.zip", "x-1.0.txt", None, 3])
def test_names_that_are_no_artifact_are_left_out(bad: object) -> None:
    assert parse_page(page({"filename": bad, "url": "x", "hashes": {}}), JSON_TYPE, URL) == ()


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"{", JSON_TYPE, "is not the JSON it says it is"),
        (b'{"a": 1, "a": 2}', JSON_TYPE, "is not the JSON it says it is: it has the key 'a' twice"),
        (b"[]", JSON_TYPE, "is JSON, but no page of the simple API (no list of files)"),
        (page(**{"api-version": "2.0"}), JSON_TYPE, "has version '2.0' of the simple API; 1.x is known here"),
        (
            b'<meta name="pypi:repository-version" content="2.0">',
            "text/html",
            "has version '2.0' of the simple API; 1.x is known here",
        ),
    ],
)
def test_pages_that_cannot_be_read(body: bytes, kind: str, message: str) -> None:
    with pytest.raises(IndexPageError) as caught:
        parse_page(body, kind, URL)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("filename", "name", "version", "expected"),
    [
        ("Demo_Pkg-1.0-py3-none-any.whl", "demo.pkg", "1.0", True),
        ("demo-1.0-1-py3-none-any.whl", "demo", "1.0.0", True),
        ("demo-1.0+cpu-py3-none-any.whl", "demo", "1.0+cpu", True),
        ("demo-1.0-py3-none-any.whl", "demo", "1.1", False),
        ("demo-extra-1.0.tar.gz", "demo-extra", "1.0", True),
        ("demo-extra-1.0.tar.gz", "demo", "1.0", False),
        ("python-demo-1-0.zip", "python-demo", None, True),
        ("demo.zip", "demo", None, False),
        ("demo-1.0.exe", "demo", "1.0", False),
        ("demo-any.whl", "demo", None, False),
    ],
)
def test_belongs_to(filename: str, name: str, version: str | None, expected: bool) -> None:
    assert belongs_to(filename, name, version) is expected


@given(st.text())
def test_normalizing_twice_changes_nothing(name: str) -> None:
    assert normalize(normalize(name)) == normalize(name)


@given(st.binary(max_size=300), st.sampled_from(["text/html", JSON_TYPE, ""]))
def test_any_bytes_are_a_page_or_an_index_page_error(body: bytes, kind: str) -> None:
    try:
        files = parse_page(body, kind, URL)
    except IndexPageError:
        return
    assert all("/" not in file.filename for file in files)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ("filename", "url", "hashes", "size", "yanked", "requires-python", "core-metadata", "meta", "files")


@given(st.lists(st.dictionaries(st.sampled_from(_FIELDS), _JSON)))
def test_any_json_is_a_page(files: list[object]) -> None:
    parse_page(page(*files), JSON_TYPE, URL)


_PARTS = st.text(alphabet="ab.~+%!,=-_0#?[]@:\\ \t", max_size=6)


@given(
    st.sampled_from(["https://", "http://", "HTTPS://", "//", "/", "file:///", ""]),
    st.lists(_PARTS, max_size=5),
)
def test_a_url_that_is_not_joined_is_what_joining_makes_of_it(scheme: str, parts: list[str]) -> None:
    url = scheme + "/".join(parts)
    if simple_api._PLAIN_URL.fullmatch(url):
        assert urllib.parse.urljoin(URL, url.strip()) == url
        assert urllib.parse.urlsplit(url).scheme in ("http", "https")


def test_what_indexes_write_is_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("urllib.parse.urljoin")
    url = f"https://files.example.com:8443/packages/00/{A}/demo_x-1.0+local%2B1-py3-none-any.whl"
    (file,) = parse_page(page({"filename": "demo_x-1.0-py3-none-any.whl", "url": url}), JSON_TYPE, URL)
    assert file.url == url


@given(st.text(alphabet="<a href='\"=>#/.:whl-sha256[]", max_size=120))
def test_any_html_is_a_page(text: str) -> None:
    parse_page(text.encode(), "text/html", URL)


@given(st.text())
def test_a_file_name_never_has_a_folder(url: str) -> None:
    assert filename_of(url).count("/") == 0 or "%2F" in url.upper()


@given(
    st.sampled_from(
        ["https://", "http://", "HTTPS://", "//", "/", "file:///", "", "../", "../../files/", "./"]
    ),
    st.lists(_PARTS, max_size=5),
)
def test_links_are_joined_as_the_standard_library_joins_them(start: str, parts: list[str]) -> None:
    url = (start + "/".join(parts)).strip()
    try:
        joined = urllib.parse.urljoin(URL, urllib.parse.quote(url, safe=string.punctuation))
        usable = urllib.parse.urlsplit(joined).scheme in ("http", "https")
        _ = urllib.parse.urlsplit(joined).port
    except ValueError:
        usable = False
    assert simple_api._join(URL, url) == (joined if usable else None)


@pytest.mark.parametrize(
    "part",
    [
        "<!--",
        "<a ",
        '<a x="',
        "<a =",
        "<a x=",
        "<a/",
        "</",
        "<",
        "&#",
        "<![",
        '<a href="x">',
        "<script>",
        "</a",
    ],
)
def test_a_page_is_read_in_time_that_grows_with_it(part: str) -> None:
    body = (part * (900_000 // len(part))).encode()
    start = time.process_time()
    assert parse_page(body, "text/html", URL) == ()
    assert time.process_time() - start < 2


def test_what_a_page_may_hold_besides_its_links() -> None:
    body = (
        "<!DOCTYPE html><title><a href=t.whl></title><!-- <a href='c-1.zip'> --><script>'<a href=s.zip>'</script>"
        "<base href='/f/'><A HREF=a-1.zip DATA-YANKED data-requires-python='&gt;=3.8'>x</A>"
        "<a class='b' href='b-1.zip#sha256=" + "0" * 64 + "' href='no.zip'/>b<b>old</b></a><a href='d-1.zip"
    )
    found = parse_page(body.encode(), "text/html", "https://host/simple/x/")
    assert found == (
        IndexFile("a-1.zip", "https://host/f/a-1.zip", requires_python=">=3.8", yanked=True),
        IndexFile("b-1.zip", "https://host/f/b-1.zip", "0" * 64),
    )


@pytest.mark.parametrize("name", ["a" * 260 + ".whl", "a\\b.whl", "a\u202eb.whl", "a\0.whl"])
def test_names_that_no_file_may_have_are_left_out(name: str) -> None:
    assert parse_page(page({"filename": name, "url": "x", "hashes": {}}), JSON_TYPE, URL) == ()


def test_what_cannot_be_compared_is_left_out_of_a_file() -> None:
    many = "1" * 5000
    row = {"filename": "a-1.zip", "url": "a-1.zip", "hashes": {"sha256": "x"}, "requires-python": f">={many}"}
    (file,) = parse_page(page(row), JSON_TYPE, URL)
    assert (file.requires_python, file.sha256, file.size) == (None, None, None)
    with pytest.raises(IndexPageError, match="has version"):
        parse_page(page(**{"api-version": many}), JSON_TYPE, URL)
