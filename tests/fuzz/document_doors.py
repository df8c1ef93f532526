"""The doors of locks, of a mirror's indexes, and of documents between steps."""

from __future__ import annotations

import contextlib
import io
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ociwheel.build.build_lock import BuildLock, render
from ociwheel.build.emulated import read_answer
from ociwheel.debian.archive_client import decompressed
from ociwheel.debian.lock_request import Request as DebianRequest
from ociwheel.debian.packages import Universe, split_paragraphs
from ociwheel.debian.relations import Relation
from ociwheel.debian.release import parse_release
from ociwheel.documents import canonical, document, read_error, schema
from ociwheel.errors import BaseError, BuildError, LockError, ToolError, UsageError
from ociwheel.lock import formats
from ociwheel.plan.model import parse_request
from ociwheel.plan.plan_step import plan
from ociwheel.reading import Value, failing, from_json
from ociwheel.transport import settings
from tests.fuzz.harness import Door
from tests.fuzz.texts import json_maker, line_maker
from tests.support.values import target_of

_A, _B = "a" * 64, "b" * 64
_WHEEL = "demo-1.0-py3-none-any.whl"
_NOW = datetime(2026, 1, 1, tzinfo=UTC)

# --- locks --------------------------------------------------------------------------------------------------

_PEX = {
    "locked_resolves": [
        {
            "locked_requirements": [
                {
                    "project_name": "demo",
                    "version": "1.0",
                    "requires_python": ">=3.8",
                    "requires_dists": ["other>=1; python_version > '3.8'"],
                    "artifacts": [{"url": f"https://h/{_WHEEL}", "algorithm": "sha256", "hash": _A}],
                },
                {
                    "project_name": "other",
                    "version": "2",
                    "requires_python": None,
                    "requires_dists": [],
                    "artifacts": [{"url": "https://h/other-2.tar.gz", "algorithm": "sha256", "hash": _B}],
                },
            ]
        }
    ]
}
_REQUIREMENTS = f"""\
# a comment
--index-url https://jo:s3cret@h/simple
demo[extra]==1.0 ; python_version > "3.8" \\
    --hash=sha256:{_A} \\
    --hash=sha256:{_B}  # via x
other==2 --hash=sha256:{_B}
"""
_PYLOCK = f"""\
lock-version = "1.0"
created-by = "a test"
requires-python = ">=3.11"
[[packages]]
name = "demo"
version = "1.0"
marker = "python_version >= '3.8'"
sdist = {{ name = "demo-1.0.tar.gz", url = "https://x/y", size = 5, hashes = {{ sha256 = "{_A}" }} }}
wheels = [ {{ url = "https://x/{_WHEEL}", upload-time = 2025-01-01T00:00:00Z, hashes = {{ sha256 = "{_B}" }} }} ]
"""
_REQUIREMENT_WORDS = (
    *(
        "demo",
        "==",
        "1.0",
        "\n",
        "\\\n",
        " ",
        "\t",
        "#",
        "--hash=sha256:",
        "--hash",
        "=",
        _A,
        "-r",
        "-e ",
        "--",
        ";",
    ),
    *(
        "python_version",
        " > ",
        "'3.8'",
        "(",
        ")",
        " and ",
        "[",
        "]",
        ",",
        "@",
        "https://",
        "git+",
        ".",
        "*",
        "\r\n",
    ),
)
_TOML_WORDS = (
    *(
        "lock-version = '1.0'\n",
        "[[packages]]\n",
        "[packages.vcs]\n",
        "name = ",
        "'demo'",
        "\n",
        "=",
        ".",
        "a",
        "{",
    ),
    *(
        "}",
        "[",
        "]",
        ",",
        "'''",
        '"""',
        '"',
        "#",
        "1",
        "_",
        "0x",
        "e",
        "2025-01-01",
        "T00:00:00Z",
        "inf",
        "nan",
        " ",
    ),
)


def _lockfile(data: bytes, folder: Path) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        _entries(data)


def _entries(data: bytes) -> None:
    canonical({"entries": [entry.to_json() for entry in formats.parse(data, "a.lock").entries]})


def _pylock_words(rng: random.Random) -> bytes:
    start = b"lock-version = '1.0'\ncreated-by = 'x'\n" if rng.random() < 0.7 else b""
    return start + line_maker(_TOML_WORDS)(rng)


_BUILD_LOCK = {
    "schema": schema("build-lock"),
    "environments": [
        {
            "sdist": "demo==1.0",
            "sha256": _A,
            "python": "3.11",
            "pins": ["setuptools==65"],
            "crates": ["a 1.0.0"],
        }
    ],
    "crates": {"a 1.0.0": _A},
    "files": {"setuptools==65": [{"filename": "setuptools-65-py3-none-any.whl", "sha256": _B, "size": 7}]},
}


def _build_lock(data: bytes, folder: Path) -> None:
    lock = BuildLock.read(from_json(data, failing(LockError, "x.build.lock")))
    render(BuildLock().renewed(lock, ["3.11"], ["3.11"], ()))
    render(lock.renewed(BuildLock(), ["3.11"], None, {"demo==1.0"}))


# --- a mirror's indexes ----------------------------------------------------------------------------------------

_RELEASE = f"""\
Origin: Debian
Suite: stable
Codename: bookworm
Date: Sat, 01 Nov 2025 10:00:00 UTC
Valid-Until: Sat, 01 Nov 2036 10:00:00 UTC
Architectures: all amd64 arm64
SHA256:
 {_A} 1234 main/binary-amd64/Packages.xz
 {_B} 56789 main/binary-amd64/Packages
"""
_PACKAGES = f"""\
Package: python3.11
Version: 3.11.2-6
Architecture: amd64
Depends: libc6 (>= 2.36), libpython3.11 (= 3.11.2-6) | foo [amd64] <!nocheck>
Pre-Depends: base-files
Provides: py (= 3), x
Filename: pool/main/p/python3.11_3.11.2-6_amd64.deb
Size: 573000
SHA256: {_A}

Package: libc6
Version: 1:2.36-9+deb12u14
Architecture: amd64
Filename: pool/main/g/glibc.deb
Size: 5
SHA256: {_B}
"""
_DEB822_WORDS = (
    *(
        "Package: a\n",
        "Version: ",
        "1:2.3~b-4\n",
        "Depends: ",
        "Provides: ",
        "SHA256:\n",
        f" {_A} 5 main/x\n",
        "\n",
    ),
    *(
        "\n\n",
        " ",
        "\t",
        ":",
        "a",
        "1",
        "(",
        ">= ",
        ")",
        "|",
        ",",
        "[",
        "]",
        "<",
        ">",
        "#",
        "-----BEGIN PGP ",
        "Size: ",
    ),
    *(
        "Suite: stable\n",
        "Valid-Until: ",
        "Sat, 01 Nov 2036 10:00:00 UTC\n",
        "Filename: ",
        "Architecture: all\n",
    ),
)


def _release(data: bytes, folder: Path) -> None:
    release = parse_release(data.decode(errors="replace"), "stable", _NOW, "InRelease")
    release.file("main/binary-amd64/Packages")


def _packages(data: bytes, folder: Path) -> None:
    universe = Universe("amd64", split_paragraphs(data.decode(errors="replace"), "debian"))
    for name in list(universe.names())[:20]:
        for candidate in universe.satisfying(Relation(name, ">=", "1")):
            _ = candidate.key, candidate.path, candidate.size, candidate.sha256, candidate.upstream_version
            _ = candidate.dependencies, candidate.provides


def _compressed(suffix: str, data: bytes, folder: Path) -> None:
    decompressed(data, suffix, 1 << 20, "Packages")


def _xz_seeds() -> Sequence[bytes]:
    import lzma  # noqa: PLC0415

    return [lzma.compress(_PACKAGES.encode()), lzma.compress(bytes(3 << 20))]


def _gz_seeds() -> Sequence[bytes]:
    import gzip  # noqa: PLC0415

    return [gzip.compress(_PACKAGES.encode(), mtime=0), gzip.compress(bytes(3 << 20), mtime=0)]


# --- documents between steps -----------------------------------------------------------------------------------

_TARGET = {"platform": "linux/amd64", "python": "3.11.2", "libc": "glibc", "libc_version": "2.36"}
_PLAN = {
    "roots": [{"requirement": "demo>=1", "origin": "src:x"}],
    "entries": [
        {
            "name": "demo",
            "version": "1.0",
            "marker": None,
            "requires_python": ">=3.8",
            "requires_dist": ["other[a]>1; extra == 'x'", "other"],
            "files": [{"filename": _WHEEL, "sha256": _A, "size": 5, "requires_python": ">=3.7"}],
        },
        {
            "name": "other",
            "version": "2",
            "marker": "python_version > '3'",
            "requires_python": None,
            "requires_dist": [],
            "files": [{"filename": "other-2.tar.gz", "sha256": _B, "size": None}],
        },
    ],
    "no_binary": [],
    "only_binary": ["x"],
    "lockfile": "a.lock",
}
_DEBIAN_REQUEST = {
    "suites": ["bookworm"],
    "packages": ["tzdata"],
    "builder_packages": ["libpq-dev"],
    "excluded_packages": [],
    "platforms": ["linux/amd64", "linux/arm/v7"],
    "python": "3.11",
    "components": ["main"],
    "builder_groups": {"lxml": ["libxml2-dev"]},
    "image_packages": {"curl, tini": ["linux/amd64"]},
}
_ERROR = BuildError("x", where="y", hint="z", details=["d"], errors=[BuildError("w")]).to_json()
_NETWORK = {
    "indexes": ["https://h/simple"],
    "find_links": [],
    "proxies": {"http": "http://p"},
    "ca_bundle": None,
    "netrc": "/x",
    "debian_mirrors": {"debian": ["https://m/debian"]},
    "env": {"A": "b"},
    "default_index": "https://d/simple",
}


def _plan(data: bytes, folder: Path) -> None:
    request = parse_request(from_json(data, failing(UsageError, "request.json")))
    canonical(document("plan", {"artifacts": plan(request, target_of())}))


def _debian_request(data: bytes, folder: Path) -> None:
    canonical(DebianRequest.parse(from_json(data, failing(BaseError, "request.json"))).inputs)


def _error(data: bytes, folder: Path) -> None:
    canonical(read_error(from_json(data, failing(BuildError, "result.json")), BuildError).to_json())


_ANSWER = {
    "wheel": "demo-1.0-py3-none-any.whl",
    "lines": ["one", "two"],
    "compiled": 2,
    "sources": ["a.c"],
    "failed_hook": False,
    "error": _ERROR,
}


def _answer(data: bytes, folder: Path) -> None:
    (folder / "result.json").write_bytes(data)
    result = read_answer(folder / "result.json", "demo 1.0")
    if result.error:
        raise read_error(Value(result.error, "error", failing(ToolError, "demo 1.0")), BuildError)
    (folder / str(result.wheel)).exists()


def _settings(data: bytes, folder: Path) -> None:
    (folder / "network.json").write_bytes(data)
    settings.load({"OCIWHEEL_MACHINE": str(folder), "HOME": str(folder), "PIP_CONFIG_FILE": "/dev/null"})


def _json_door(name: str, run: Any, *good: Any) -> Door:
    return Door(name, run, lambda: [json.dumps(item).encode() for item in good], json_maker(good))


DOORS = (
    _json_door("lock-pex", _lockfile, _PEX),
    Door("lock-requirements", _lockfile, lambda: [_REQUIREMENTS.encode()], line_maker(_REQUIREMENT_WORDS)),
    Door("lock-pylock", _lockfile, lambda: [_PYLOCK.encode()], _pylock_words),
    _json_door("build-lock", _build_lock, _BUILD_LOCK),
    Door("deb822-release", _release, lambda: [_RELEASE.encode()], line_maker(_DEB822_WORDS)),
    Door("deb822-packages", _packages, lambda: [_PACKAGES.encode()], line_maker(_DEB822_WORDS)),
    Door("packages-xz", partial(_compressed, ".xz"), _xz_seeds),
    Door("packages-gz", partial(_compressed, ".gz"), _gz_seeds),
    _json_door("plan-request", _plan, _PLAN),
    _json_door("debian-request", _debian_request, _DEBIAN_REQUEST),
    _json_door("error-document", _error, _ERROR),
    _json_door("backend-answer", _answer, _ANSWER, {**_ANSWER, "error": {}}),
    _json_door("network-settings", _settings, _NETWORK),
)
