"""The simple repository API, parsed: PEP 503 (HTML), 691 (JSON), 592, 629, 658/714, 700.

Pure: bytes in, values out.
"""

from __future__ import annotations

import functools
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ociwheel.digest import is_sha256
from ociwheel.fetch.html_page import Anchor, Page
from ociwheel.reading import DocumentLimits, fault_of, parse_json
from ociwheel.transport.urls import join_url, split_url

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
# PEP 691: "a client SHOULD" list what it accepts with its preference.
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_LIMITS = DocumentLimits(values=2_000_000)
MOST_FILES = 200_000
"""Files of a page: the project with the most has some ten thousand."""
LONGEST_NAME = 255
"""Characters of a file's name: file systems take no more."""
# An absolute URL without a part that joining it would change.
_PLAIN_URL = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9_~+%!,=][A-Za-z0-9_.~+%!,=-]*)+(?:#[A-Za-z0-9_=.-]+)?"
)
# The last part of a URL that stays as it is, with its fragment.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_~+%!,=][A-Za-z0-9_.~+%!,=-]*+(?:#[A-Za-z0-9_=.-]++)?")
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")


class IndexPageError(Exception):
    """A page that is no page of the simple API, or of a version not known here."""


@dataclass(frozen=True)
class IndexFile:
    """One file that an index offers."""

    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    """Bytes."""
    requires_python: str | None = None
    yanked: bool = False
    yanked_why: str = ""
    """What its project says of that, as the index has it."""
    has_metadata: bool = False
    """Whether ``url`` + ``.metadata`` is there (PEP 658)."""
    metadata_sha256: str | None = None


def normalize(name: str) -> str:
    """Return a project name as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_artifact(filename: str) -> bool:
    """Tell whether a file name is a wheel's or an sdist's, and one that a file may have."""
    named = filename.endswith((".whl", *_SDISTS)) and len(filename) <= LONGEST_NAME
    return named and filename.isprintable() and "/" not in filename and "\\" not in filename


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
        if algorithm == "sha256" and is_sha256(value.lower()):
            return clean, value.lower()
    return clean, None


def _check_version(version: str | None, known: int = 1) -> None:
    # PEP 629: "a major version greater than [the] expected one: ... MUST fail".
    major = (version or "1.0").split(".")[0]
    if not re.fullmatch(r"[0-9]{1,9}", major) or int(major) > known:
        raise IndexPageError(f"has version {version!r} of the simple API; {known}.x is known here")


def filename_of(url: str) -> str:
    """Return the last path component of a URL, percent-decoded."""
    return urllib.parse.unquote(split_url(url).path.rstrip("/").rpartition("/")[2])


def _join(base: str, url: str) -> str | None:
    """Return ``url`` made absolute, or None when it is none or would read this machine's files."""
    # What indexes write: pages of ten thousand files and more are read by each step that needs one of them.
    if _PLAIN_URL.fullmatch(url):
        return url
    folder, slash, last = url.strip().rpartition("/")
    if _PLAIN_NAME.fullmatch(last) and not set(folder) & set("?#"):
        parent = _folder(base, folder + slash)
        return f"{parent}{last}" if parent else None
    return _checked(base, join_url(base, url.strip()))


@functools.lru_cache(maxsize=1024)
def _folder(base: str, folder: str) -> str | None:
    joined = _checked(base, join_url(base, f"{folder}x"))
    return joined[:-1] if joined else None


def _checked(base: str, joined: str | None) -> str | None:
    own = split_url(base).scheme
    allowed = ("http", "https", "file") if own == "file" else ("http", "https")
    return joined if joined and split_url(joined).scheme in allowed else None


def _metadata(value: Any) -> tuple[bool, str | None]:
    """Return presence and hash of a ``core-metadata`` value: bool, hashes, or "sha256=..."."""
    if isinstance(value, dict):
        sha256 = value.get("sha256")
        return bool(value), sha256 if isinstance(sha256, str) else None
    if isinstance(value, str):
        algorithm, _, digest = value.partition("=")
        return value != "", digest if algorithm == "sha256" else None
    return value is True, None


def _html_files(page: Page, anchors: Iterable[Anchor], url: str) -> Iterator[IndexFile]:
    base: str | None = None
    for anchor in anchors:
        if base is None:
            # PEP 503 pages have their `base` before the first link, where HTML wants it.
            base = join_url(url, page.base) or url
        attrs = anchor.attributes
        if not any(suffix in text for suffix in (".whl", *_SDISTS) for text in (attrs["href"], anchor.text)):
            continue
        joined = _join(base, attrs["href"])
        if joined is None:
            continue
        clean, sha256 = _fragment_sha256(joined)
        filename = filename_of(clean)
        if not is_artifact(filename):
            filename = anchor.text.strip()
        if not is_artifact(filename):
            continue
        # PEP 714: clients prefer the new name and fall back to PEP 658's.
        core = attrs.get("data-core-metadata") or attrs.get("data-dist-info-metadata") or ""
        present, metadata_sha256 = _metadata("true" if core.lower() == "true" else core)
        yield IndexFile(
            filename=filename,
            url=clean,
            sha256=sha256,
            requires_python=_specifier(attrs.get("data-requires-python")),
            yanked="data-yanked" in attrs,
            yanked_why=attrs.get("data-yanked", ""),
            has_metadata=present,
            metadata_sha256=metadata_sha256,
        )


def _digest(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and is_sha256(value.lower()) else None


def _specifier(value: Any) -> str | None:
    """Return a ``requires-python`` that can be compared; as pip, what cannot be read excludes nothing."""
    return value if isinstance(value, str) and value and fault_of(value) is None else None


def _json_files(files: Iterable[Any], url: str) -> Iterator[IndexFile]:
    for item in files:
        if not isinstance(item, dict) or not isinstance(item.get("url"), str):
            continue
        joined = _join(url, item["url"])
        filename = item.get("filename")
        if joined is None or not isinstance(filename, str) or not is_artifact(filename):
            continue
        hashes = item.get("hashes")
        sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
        core = item.get("core-metadata", item.get("dist-info-metadata", item.get("data-dist-info-metadata")))
        present, metadata_sha256 = _metadata(core)
        size, requires = item.get("size"), item.get("requires-python")
        yield IndexFile(
            filename=filename,
            url=_fragment_sha256(joined)[0],
            sha256=_digest(sha256) or _fragment_sha256(joined)[1],
            size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
            requires_python=_specifier(requires),
            yanked=bool(item.get("yanked")),
            yanked_why=why if isinstance(why := item.get("yanked"), str) else "",
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
            value = parse_json(body, _LIMITS)
        except ValueError as e:
            why = "" if str(e).startswith("is not JSON") else f": it {e}"
            raise IndexPageError(f"is not the JSON it says it is{why}") from e
        if not isinstance(value, dict) or not isinstance(value.get("files"), list):
            raise IndexPageError("is JSON, but no page of the simple API (no list of files)")
        meta = value.get("meta")
        version = meta.get("api-version") if isinstance(meta, dict) else None
        _check_version(version if isinstance(version, str) else None)
        return tuple(_limited(_json_files(value["files"], url)))
    if len(body) > _LIMITS.size:
        raise IndexPageError(f"has {len(body)} bytes; at most {_LIMITS.size} are read")
    page = Page()
    anchors = page.anchors(body.decode("utf-8", errors="replace"))
    files = tuple(_limited(_html_files(page, anchors, url)))
    _check_version(page.version)
    return files


def _limited(files: Iterator[IndexFile]) -> Iterator[IndexFile]:
    for number, file in enumerate(files):
        if number == MOST_FILES:
            raise IndexPageError(f"lists more than {MOST_FILES} files")
        yield file
