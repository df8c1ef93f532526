"""The simple repository API, parsed: PEP 503 (HTML), 691 (JSON), 592, 629, 658/714, 700.

Pure: bytes in, values out.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
# PEP 691: "a client SHOULD" list what it accepts with its preference.
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# An absolute URL without a part that joining it would change.
_PLAIN_URL = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9_~+%!,=][A-Za-z0-9_.~+%!,=-]*)+(?:#[A-Za-z0-9_=.-]+)?"
)
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")


class IndexPageError(Exception):
    """A page that is no page of the simple API, or of a version not known here."""


@dataclass(frozen=True)
class IndexFile:
    """One file that a place offers."""

    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    """Bytes."""
    requires_python: str | None = None
    yanked: bool = False
    has_metadata: bool = False
    """Whether ``url`` + ``.metadata`` is there (PEP 658)."""
    metadata_sha256: str | None = None


def normalize(name: str) -> str:
    """Return a project name as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_artifact(filename: str) -> bool:
    """Tell whether a file name is a wheel's or an sdist's."""
    return filename.endswith((".whl", *_SDISTS))


def belongs_to(filename: str, name: str, version: str | None = None) -> bool:
    """Tell whether a file is one of project ``name`` (and ``version``), by its name alone."""
    stem = filename
    for suffix in _SDISTS:
        stem = stem.removesuffix(suffix)
    wanted = normalize(name)
    if filename.endswith(".whl"):
        parts = filename.removesuffix(".whl").split("-")
        if len(parts) < 5 or normalize(parts[0]) != wanted:
            return False
        return version is None or _same_version(parts[1], version)
    if stem == filename:
        return False
    # An sdist of before PEP 625 may have "-" in both halves: try each.
    cuts = [i for i, c in enumerate(stem) if c == "-"]
    return any(
        normalize(stem[:i]) == wanted and (version is None or _same_version(stem[i + 1 :], version))
        for i in cuts
    )


def _same_version(left: str, right: str) -> bool:
    def key(text: str) -> str:
        text = urllib.parse.unquote(text).lower().removeprefix("v").replace("_", "+")
        return re.sub(r"(\.0)+(?=$|[^0-9.])", "", re.sub(r"[-+]", ".", text))

    return key(left) == key(right)


def _fragment_sha256(url: str) -> tuple[str, str | None]:
    clean, _, fragment = url.partition("#")
    for part in fragment.split("&"):
        algorithm, _, value = part.partition("=")
        if algorithm == "sha256" and _SHA256.fullmatch(value.lower()):
            return clean, value.lower()
    return clean, None


def _check_version(version: str | None, known: int = 1) -> None:
    # PEP 629: "a major version greater than [the] expected one: ... MUST fail".
    major = (version or "1.0").split(".")[0]
    if not major.isdigit() or int(major) > known:
        raise IndexPageError(f"has version {version!r} of the simple API; {known}.x is known here")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base: str | None = None
        self.version: str | None = None
        self.anchors: list[tuple[dict[str, str | None], list[str]]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "base" and self.base is None:
            self.base = values.get("href")
        elif tag == "meta" and values.get("name") == "pypi:repository-version":
            self.version = values.get("content")
        elif tag == "a" and values.get("href"):
            self.anchors.append((values, []))
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.anchors[-1][1].append(data)


def filename_of(url: str) -> str:
    """Return the last path component of a URL, percent-decoded."""
    try:
        path = urllib.parse.urlsplit(url).path
    except ValueError:
        return ""
    return urllib.parse.unquote(path.rstrip("/").rpartition("/")[2])


def _join(base: str, url: str) -> str | None:
    """Return ``url`` made absolute, or None when it is none or would read this machine's files."""
    # What indexes write: pages of ten thousand files and more are read by each step that needs one of them.
    if _PLAIN_URL.fullmatch(url):
        return url
    try:
        joined = urllib.parse.urljoin(base, url.strip())
        scheme = urllib.parse.urlsplit(joined).scheme
        own = urllib.parse.urlsplit(base).scheme
    except ValueError:
        return None
    allowed = ("http", "https", "file") if own == "file" else ("http", "https")
    return joined if scheme in allowed else None


def _metadata(value: Any) -> tuple[bool, str | None]:
    """Return presence and hash of a ``core-metadata`` value: bool, hashes, or "sha256=..."."""
    if isinstance(value, dict):
        sha256 = value.get("sha256")
        return bool(value), sha256 if isinstance(sha256, str) else None
    if isinstance(value, str):
        algorithm, _, digest = value.partition("=")
        return value != "", digest if algorithm == "sha256" else None
    return value is True, None


def _html_files(page: _Page, url: str) -> Iterator[IndexFile]:
    base = urllib.parse.urljoin(url, page.base or "")
    for attrs, text in page.anchors:
        joined = _join(base, attrs["href"] or "")
        if joined is None:
            continue
        clean, sha256 = _fragment_sha256(joined)
        filename = filename_of(clean)
        if not is_artifact(filename):
            filename = "".join(text).strip()
        if not is_artifact(filename) or "/" in filename:
            continue
        # PEP 714: clients prefer the new name and fall back to PEP 658's.
        core = attrs.get("data-core-metadata") or attrs.get("data-dist-info-metadata") or ""
        present, metadata_sha256 = _metadata("true" if core.lower() == "true" else core)
        yield IndexFile(
            filename=filename,
            url=clean,
            sha256=sha256,
            requires_python=attrs.get("data-requires-python") or None,
            yanked="data-yanked" in attrs,
            has_metadata=present,
            metadata_sha256=metadata_sha256,
        )


def _json_files(files: Iterable[Any], url: str) -> Iterator[IndexFile]:
    for item in files:
        if not isinstance(item, dict) or not isinstance(item.get("url"), str):
            continue
        joined = _join(url, item["url"])
        filename = item.get("filename")
        if joined is None or not isinstance(filename, str) or not is_artifact(filename):
            continue
        if "/" in filename:
            continue
        hashes = item.get("hashes")
        sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
        core = item.get("core-metadata", item.get("dist-info-metadata", item.get("data-dist-info-metadata")))
        present, metadata_sha256 = _metadata(core)
        size, requires = item.get("size"), item.get("requires-python")
        yield IndexFile(
            filename=filename,
            url=_fragment_sha256(joined)[0],
            sha256=sha256.lower() if isinstance(sha256, str) else _fragment_sha256(joined)[1],
            size=size if isinstance(size, int) and not isinstance(size, bool) else None,
            requires_python=requires if isinstance(requires, str) and requires else None,
            yanked=bool(item.get("yanked")),
            has_metadata=present,
            metadata_sha256=metadata_sha256,
        )


def parse_page(body: bytes, content_type: str, url: str) -> tuple[IndexFile, ...]:
    """Return the files of a project page.

    :param content_type: the answer's ``Content-Type``; PEP 691: it says what the body is.
    :param url: where the page was found, after redirects: relative links start there.
    :raises IndexPageError: it is neither form, or of a newer major version.
    """
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if kind.endswith("json"):
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as e:
            raise IndexPageError("is not the JSON it says it is") from e
        if not isinstance(value, dict) or not isinstance(value.get("files"), list):
            raise IndexPageError("is JSON, but no page of the simple API (no list of files)")
        meta = value.get("meta")
        version = meta.get("api-version") if isinstance(meta, dict) else None
        _check_version(version if isinstance(version, str) else None)
        return tuple(_json_files(value["files"], url))
    page = _Page()
    page.feed(body.decode("utf-8", errors="replace"))
    page.close()
    _check_version(page.version)
    return tuple(_html_files(page, url))
