from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.simple_index import Answer, Offered, SimpleIndex
from packaging.specifiers import SpecifierSet

from ociwheel.errors import FetchError, UsageError
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile
from ociwheel.plan.model import parse_request
from ociwheel.plan.newest import VersionLimits, limits, newest_wheel
from ociwheel.plan.newest_wheel_step import newest_wheels, run
from ociwheel.platforms import platform
from ociwheel.target import Target
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings
from tests.support.values import value_of

ARM = Target(platform("linux/arm/v7"), "3.11.2", "glibc", (2, 36))


def wheel(version: str, tag: str = "cp311-cp311-manylinux_2_17_armv7l", **fields: Any) -> IndexFile:
    return IndexFile(f"demo-{version}-{tag}.whl", "https://example.com/x", "a" * 64, **fields)


def newest(*files: IndexFile, specifier: str = "", prereleases: bool = False) -> str | None:
    found = newest_wheel("demo", files, VersionLimits(SpecifierSet(specifier), prereleases), ARM)
    return found.version if found else None


def test_the_newest_that_is_allowed() -> None:
    files = [wheel("1.9"), wheel("1.10"), wheel("2.0")]
    assert newest(*files) == "2.0"
    assert newest(*files, specifier="<2") == "1.10"
    assert newest(*files, specifier=">2") is None


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp311-cp311-musllinux_1_2_armv7l",
        "cp311-cp311-manylinux_2_39_armv7l",
        "cp312-cp312-manylinux_2_17_armv7l",
        "cp312-abi3-manylinux_2_17_armv7l",
    ],
)
def test_wheels_of_another_platform_python_or_libc_do_not_count(tag: str) -> None:
    assert newest(wheel("2.0", tag), wheel("1.0")) == "1.0"


@pytest.mark.parametrize("tag", ["py3-none-any", "cp38-abi3-manylinux_2_31_armv7l", "py3-none-linux_armv7l"])
def test_wheels_that_fit(tag: str) -> None:
    assert newest(wheel("2.0", tag), wheel("1.0")) == "2.0"


def test_yanked_files_sdists_and_odd_names_do_not_count() -> None:
    others = (
        wheel("2.0", yanked=True),
        wheel("2.1", requires_python=">=3.12"),
        IndexFile("demo-3.0.tar.gz", "https://example.com/x"),
        IndexFile("demo-not_a_version-py3-none-any.whl", "https://example.com/x"),
        IndexFile("demo.whl", "https://example.com/x"),
    )
    assert newest(*others, wheel("1.0")) == "1.0"
    assert newest(*others) is None


def test_prereleases_only_where_they_are_wanted() -> None:
    assert newest(wheel("2.0rc1"), wheel("1.0")) == "1.0"
    assert newest(wheel("2.0rc1"), wheel("1.0"), prereleases=True) == "2.0rc1"


def request(**changes: Any) -> dict[str, Any]:
    def entry(name: str, version: str, *requires: str) -> dict[str, Any]:
        files = [{"filename": f"{name}-{version}.tar.gz", "sha256": "0" * 64, "size": None}]
        return {"name": name, "version": version, "requires_dist": list(requires), "files": files}

    value = {
        "roots": [
            {"requirement": "app[fast]>=1", "origin": "//:app"},
            {"requirement": "demo>=1", "origin": "//:demo"},
        ],
        "entries": [
            entry("app", "1.0", 'demo!=1.5; extra == "fast"', 'demo<1; extra == "slow"', "middle"),
            entry("middle", "2.0", "demo<2", 'demo<1; sys_platform == "win32"'),
            entry("unused", "1.0", "demo==1.0"),
            entry("demo", "1.4"),
            entry("beta", "3.0b1"),
        ],
        "names": ["demo"],
        "lockfile": "x.lock",
    }
    return {**value, **changes}


def test_limits_are_those_of_all_that_require_it() -> None:
    found = limits(parse_request(value_of(request())), ARM, ["demo", "unheard-of"])
    assert found["demo"] == VersionLimits(SpecifierSet(">=1,<2,!=1.5"), prereleases=False)
    assert found["unheard-of"] == VersionLimits(SpecifierSet(), prereleases=False)


def test_a_locked_prerelease_allows_prereleases() -> None:
    roots = [{"requirement": "beta", "origin": "//:beta"}]
    assert limits(parse_request(value_of(request(roots=roots))), ARM, ["beta"])["beta"].prereleases
    roots = [{"requirement": "demo>=1.0b1", "origin": "//:demo"}]
    assert limits(parse_request(value_of(request(roots=roots))), ARM, ["demo"])["demo"].prereleases


def client(index: SimpleIndex) -> IndexClient:
    machine = NetworkSettings(indexes=(index.url,), timeout=5)
    return IndexClient(machine, Network(machine, sleep=lambda _seconds: None))


def test_rows(tmp_path: Path) -> None:
    files = [
        Offered(wheel(version).filename, version.encode() * 10) for version in ("1.4", "1.5", "1.6", "2.0")
    ]
    with SimpleIndex({"demo": files}) as index:
        rows = newest_wheels(parse_request(value_of(request())), ARM, ["Demo", "unlisted"], client(index))
    assert rows == [
        {
            "name": "demo",
            "specifier": "!=1.5,<2,>=1",
            "version": "1.6",
            "filename": "demo-1.6-cp311-cp311-manylinux_2_17_armv7l.whl",
            "size": 30,
        },
        {"name": "unlisted", "specifier": "", "version": None, "filename": None, "size": None},
    ]


def test_an_index_that_does_not_answer() -> None:
    with SimpleIndex({}) as index:
        index.script["/simple/demo/"] = [Answer(403, b"")]
        with pytest.raises(FetchError) as caught:
            newest_wheels(parse_request(value_of(request())), ARM, ["demo"], client(index))
        assert caught.value.render().startswith(
            f"demo: no index says which versions there are\n  {index.url}demo/: answered 403 Forbidden\n"
        )


def test_a_request_without_names(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request(names="demo")))
    with pytest.raises(UsageError, match=r"request\.json: names: expected a list, found 'demo'"):
        run(Namespace(request=path, target=tmp_path / "none"))
