"""Locks with entries that come from no index: git, URLs, folders; and what locks set aside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.errors import LockError, OciwheelError
from ociwheel.lock import formats
from ociwheel.lock.entries import Entry, Lock, LockedFile
from ociwheel.lock.sources import Source, git_source, same_place

A, B = "a" * 64, "b" * 64
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def pex(*rows: dict[str, Any], **fields: Any) -> Lock:
    """Return what a Pex lock of some rows says."""
    value = {"locked_resolves": [{"locked_requirements": list(rows), "marker": None}], **fields}
    return formats.parse(json.dumps(value).encode(), "p.lock")


def row(name: str, *urls: str, requires: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a row of a Pex lock."""
    files = [{"url": url, "algorithm": "sha256", "hash": A} for url in urls]
    return {"project_name": name, "version": "1.0", "requires_dists": list(requires), "artifacts": files}


def test_git_entries_of_a_pex_lock() -> None:
    lock = pex(
        row("pinned", f"git+https://jo:s3cret@git.example/x/pinned.git@{COMMIT}#subdirectory=a/b"),
        row("branch-only", "git+ssh://git@git.example/x.git@feature/one"),
        row("newest", "git+file:/src/newest"),
        row("plain", "https://files.example/plain-1.0.tar.gz"),
    )
    by_name = {entry.name: entry for entry in lock.entries}
    assert by_name["pinned"].source == Source(
        "git", "https://git.example/x/pinned.git", COMMIT, None, "a/b", A
    )
    assert by_name["branch-only"].source == Source(
        "git", "ssh://git@git.example/x.git", None, "feature/one", "", A
    )
    assert by_name["branch-only"].files == (LockedFile(A, "branch_only-1.0.tar"),)
    assert by_name["newest"].source == Source("git", "file:///src/newest", fingerprint=A)
    assert by_name["plain"].source is None


def test_folders_and_urls_of_a_pex_lock() -> None:
    lock = pex(
        row("folder", "file:///src/my%20lib"),
        row("direct", "https://files.example/direct-1.0-py3-none-any.whl"),
        row(
            "user",
            "https://files.example/user-1.0.tar.gz",
            requires=("other @ https://jo:x@h/other-1.0.zip",),
        ),
        row("other", "https://h/other-1.0.zip"),
        requirements=[
            "direct[x] @ https://files.example/direct-1.0-py3-none-any.whl ; os_name == 'posix'",
            "user",
        ],
        overridden=["a<2", "b=c>1"],
        excluded=["d"],
    )
    by_name = {entry.name: entry for entry in lock.entries}
    assert by_name["folder"].source == Source("path", "/src/my lib")
    assert by_name["folder"].files == ()
    assert by_name["direct"].source == Source("url", "https://files.example/direct-1.0-py3-none-any.whl")
    assert by_name["direct"].files == (LockedFile(A, "direct-1.0-py3-none-any.whl"),)
    assert by_name["other"].source == Source("url", "https://h/other-1.0.zip")
    assert by_name["user"].source is None
    assert (lock.overridden, lock.excluded) == (("a<2", "b=c>1"), ("d",))


def test_a_resolve_of_a_pex_lock_may_be_for_some_platforms_alone() -> None:
    value = {
        "locked_resolves": [
            {"locked_requirements": [row("a", "https://h/a-1.0.zip")], "marker": "sys_platform == 'linux'"},
        ]
    }
    (entry,) = formats.parse(json.dumps(value).encode(), "p.lock").entries
    assert entry.marker == "sys_platform == 'linux'"


def test_a_url_of_a_pex_lock_that_is_no_file_is_no_local_project() -> None:
    (entry,) = pex(row("demo", "https://h/tarball/main")).entries
    assert entry.source is None
    assert entry.fault is not None
    assert entry.fault.what == "has a file that is no wheel and no sdist: https://h/tarball/main"


def test_requirements_with_a_url() -> None:
    text = f"demo @ https://jo:s3cret@h/demo-2.0-py3-none-any.whl#x=1 ; os_name == 'posix' --hash=sha256:{A}"
    assert formats.parse(text.encode(), "r.txt").entries == (
        Entry(
            "demo",
            "2.0",
            (LockedFile(A, "demo-2.0-py3-none-any.whl"),),
            "r.txt:1",
            marker='os_name == "posix"',
            source=Source("url", "https://h/demo-2.0-py3-none-any.whl"),
        ),
    )


def test_pylock_with_a_folder() -> None:
    text = (
        'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "demo"\ndirectory = {path = "lib/"}\n'
    )
    (entry,) = formats.parse(text.encode(), "pylock.toml").entries
    assert (entry.source, entry.files, entry.fault) == (Source("path", "lib"), (), None)


UV = f"""\
version = 1
revision = 3
requires-python = ">=3.11"
resolution-markers = [
    "sys_platform == 'linux'",
    "sys_platform != 'linux'",
]
conflicts = [[
    {{ package = "app", extra = "old" }},
    {{ package = "app", extra = "new" }},
]]

[manifest]
members = ["app", "lib"]
overrides = [{{ name = "urllib3", specifier = "<2", marker = "os_name == 'posix'" }}]
excludes = ["certifi"]

[[package]]
name = "app"
source = {{ virtual = "." }}
dependencies = [{{ name = "requests", extra = ["socks"] }}, {{ name = "lib" }}]

[package.optional-dependencies]
old = [{{ name = "idna", version = "3.4", source = {{ registry = "https://h/simple" }} }}]
new = [{{ name = "idna", version = "3.20", source = {{ registry = "https://h/simple" }} }}]

[[package]]
name = "idna"
version = "3.4"
source = {{ registry = "https://h/simple" }}
wheels = [{{ url = "https://h/idna-3.4-py3-none-any.whl", hash = "sha256:{A}", size = 7 }}]

[[package]]
name = "idna"
version = "3.20"
source = {{ registry = "../wheels" }}
wheels = [{{ path = "idna-3.20-py3-none-any.whl", hash = "sha256:{B}" }}]

[[package]]
name = "lib"
version = "0.1"
source = {{ editable = "lib" }}

[[package]]
name = "requests"
version = "2.34"
source = {{ registry = "https://h/simple" }}
resolution-markers = ["sys_platform == 'linux'", "extra != 'extra-3-app-old' and os_name == 'nt'"]
dependencies = [
    {{ name = "idna", version = "3.4", marker = "extra == 'extra-3-app-old'" }},
    {{ name = "idna", version = "3.20", marker = "extra != 'extra-3-app-old' or extra == 'extra-3-app-new'" }},
    {{ name = "tool", version = "1.0", marker = "sys_platform == 'linux'" }},
]
sdist = {{ url = "https://h/requests-2.34.tar.gz", hash = "sha256:{A}" }}

[package.optional-dependencies]
socks = [{{ name = "pysocks", marker = "os_name == 'posix'" }}]

[[package]]
name = "tool"
version = "1.0"
source = {{ git = "https://jo:s3cret@h/tool?subdirectory=py&rev=main#{COMMIT}" }}

[[package]]
name = "wheel-of-a-url"
version = "1.0"
source = {{ url = "https://h/wheel_of_a_url-1.0.tar.gz" }}
sdist = {{ hash = "sha256:{A}" }}

[[package]]
name = "odd"
version = "1.0"
source = {{ registry = "https://h/simple" }}
sdist = {{ url = "https://h/odd-1.0.tar.gz" }}
"""


def test_uv() -> None:
    lock = formats.parse(UV.encode(), "uv.lock")
    assert lock.format == "uv"
    assert lock.overridden == ("urllib3<2 ; os_name == 'posix'",)
    assert lock.excluded == ("certifi",)
    by_key = {(entry.name, entry.version): entry for entry in lock.entries}
    assert by_key["app", "0"].source == Source("path", ".")
    assert by_key["app", "0"].requires_dist == (
        "requests[socks]",
        "lib",
        "idna ; extra == 'old'",
        "idna ; extra == 'new'",
    )
    assert by_key["lib", "0.1"].source == Source("path", "lib")
    assert by_key["idna", "3.4"].files == (LockedFile(A, "idna-3.4-py3-none-any.whl", 7),)
    assert by_key["idna", "3.20"].files == (LockedFile(B, "idna-3.20-py3-none-any.whl"),)
    requests = by_key["requests", "2.34"]
    assert requests.marker == "(sys_platform == 'linux') or (python_version >= '0' and os_name == 'nt')"
    assert requests.requires_dist == (
        "idna ; (python_version >= '0')",
        "idna ; (python_version >= '0' or python_version >= '0')",
        "tool==1.0 ; (sys_platform == 'linux')",
        "pysocks ; (os_name == 'posix') and extra == 'socks'",
    )
    assert by_key["tool", "1.0"].source == Source("git", "https://h/tool", COMMIT, None, "py")
    assert by_key["tool", "1.0"].files[0].filename == "tool-1.0.tar"
    assert by_key["wheel-of-a-url", "1.0"].source == Source("url", "https://h/wheel_of_a_url-1.0.tar.gz")
    assert by_key["wheel-of-a-url", "1.0"].files == (LockedFile(A, "wheel_of_a_url-1.0.tar.gz"),)
    fault = by_key["odd", "1.0"].fault
    assert fault is not None
    assert fault.render() == (
        "uv.lock: odd 1.0: odd-1.0.tar.gz has no usable SHA-256 hash, but none\n"
        "  -> lock again with the tool that wrote it: `uv lock`"
    )


GROUPS = f"""\
version = 1
requires-python = ">=3.11"

[[package]]
name = "app"
version = "1.0"
source = {{ editable = "." }}
dependencies = [{{ name = "idna" }}]

[package.dev-dependencies]
test = [{{ name = "pytest" }}, {{ name = "lint" }}]

[package.metadata]
requires-dist = [{{ name = "idna" }}]

[package.metadata.requires-dev]
test = [{{ name = "pytest" }}, {{ include-group = "lint" }}]

[[package]]
name = "idna"
version = "3.4"
source = {{ registry = "https://h/simple" }}
wheels = [{{ url = "https://h/idna-3.4-py3-none-any.whl", hash = "sha256:{A}" }}]

[[package]]
name = "pytest"
version = "9.0"
source = {{ registry = "https://h/simple" }}
dependencies = [{{ name = "idna" }}]
wheels = [{{ url = "https://h/pytest-9.0-py3-none-any.whl", hash = "sha256:{B}" }}]

[[package]]
name = "lint"
version = "1.0"
source = {{ registry = "https://h/simple" }}
"""


def test_groups_of_a_uv_lock_are_there_and_required_by_nobody() -> None:
    by_name = {entry.name: entry for entry in formats.parse(GROUPS.encode(), "uv.lock").entries}
    assert by_name["app"].requires_dist == ("idna",), "a group of the project is no requirement of it"
    # Code that imports it has it: its requirement is a root as any other's.
    assert by_name["pytest"].requires_dist == ("idna",)
    assert [file.sha256 for file in by_name["pytest"].files] == [B]


def test_a_uv_lock_without_conflicts_names_versions() -> None:
    text = UV.replace("conflicts = [[", "other = [[")
    text = text.replace("extra == 'extra-3-app-old'", "sys_platform == 'linux'")
    by_name = {entry.name: entry for entry in formats.parse(text.encode(), "uv.lock").entries}
    assert "idna==3.4 ; extra == 'old'" in (by_name["app"].requires_dist or ())
    assert "idna==3.4 ; (sys_platform == 'linux')" in (by_name["requests"].requires_dist or ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 2\n", "uv.lock: version: expected version 1 of uv.lock, found 2"),
        ("version = 1\nrevision = [\n", "uv.lock: is not TOML: Invalid value (at end of document)"),
        ("version = 1\n[[package]]\nname = 1\n", "uv.lock: package[0].name: expected a text, found a number"),
    ],
)
def test_messages_of_uv(text: str, message: str) -> None:
    with pytest.raises(LockError) as caught:
        formats.parse(text.encode(), "uv.lock")
    assert caught.value.render().splitlines()[0] == message


@given(st.binary(max_size=160).map(lambda b: b"version = 1\n[[package]]\nname = 'a'\nsource = " + b))
def test_any_uv_lock_is_read_or_a_readable_error(data: bytes) -> None:
    try:
        formats.parse(data, "uv.lock")
    except OciwheelError as e:
        assert e.render()  # noqa: PT017 (there need not be an error)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("git+https://github.com/x/tool.git@main", True),
        ("git+https://jo@GitHub.com/x/tool#subdirectory=a", True),
        ("git+ssh://git@github.com/x/tool", True),
        ("git+https://github.com/y/tool", False),
        ("https://[", False),
    ],
)
def test_the_place_of_a_requirement(url: str, same: bool) -> None:
    assert same_place(url, git_source(f"git+https://github.com/x/tool@{COMMIT}", "x")) is same
