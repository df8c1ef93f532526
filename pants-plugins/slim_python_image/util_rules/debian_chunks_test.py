from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pants.engine.addresses import Address

from ociwheel import schemas
from ociwheel.reading import DocumentLimits, from_json
from slim_python_image.bases import BaseRequest, DebPackage, DebPackages
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.build_programs import programs_for
from slim_python_image.util_rules.debian import chunk_document, chunk_title
from slim_python_image.util_rules.debian_chunks import ALONE_BYTES, MOST_BYTES, MOST_PACKAGES, chunks, lots
from slim_python_image.util_rules.debian_locks import LockedBase, debian_base, package_lists

ROOT = Path(__file__).parents[3]


def deb(name: str, size: int = 1000, *, source: str = "", lot: str = "", version: str = "1") -> DebPackage:
    path = f"pool/main/{(source or name)[0]}/{source or name}/{name}_{version}_amd64.deb"
    return DebPackage(name, version, "amd64", "debian", path, size, f"{len(version):064x}", lot)


MANY = tuple(deb(f"lib{number}", 50_000, source=f"source{number // 2}") for number in range(200))


def test_chunks_hold_each_package_once_and_are_not_too_large() -> None:
    found = chunks((*MANY, *MANY))
    assert sorted(one for chunk in found for one in chunk) == sorted(MANY)
    assert all(len(chunk) <= MOST_PACKAGES for chunk in found)
    assert all(sum(one.size for one in chunk) <= MOST_BYTES for chunk in found)
    # Not one package, and not all of them.
    assert len(MANY) / MOST_PACKAGES < len(found) < len(MANY) / 4
    assert chunks(reversed(MANY)) == found
    assert chunks(()) == ()


def test_a_large_package_is_by_itself_and_changes_no_other_chunk() -> None:
    large = deb("large", ALONE_BYTES)
    assert set(chunks((*MANY, large))) - set(chunks(MANY)) == {(large,)}
    assert chunks((deb("a", ALONE_BYTES - 1), deb("b", ALONE_BYTES - 1), deb("c"))) == (
        (deb("a", ALONE_BYTES - 1), deb("b", ALONE_BYTES - 1), deb("c")),
    )
    several = tuple(deb(f"p{number}", ALONE_BYTES - 1) for number in range(9))
    assert all(sum(one.size for one in chunk) <= MOST_BYTES for chunk in chunks(several))


def changed(before: tuple[DebPackage, ...], after: tuple[DebPackage, ...]) -> set[tuple[DebPackage, ...]]:
    """Return the chunks that are to be fetched when a list was another one before."""
    return set(chunks(after)) - set(chunks(before))


def test_another_version_fetches_the_chunk_of_its_source_alone() -> None:
    for number in range(0, 200, 20):
        newer = {
            deb(f"lib{n}", 60_000, source=f"source{n // 2}", version="1.1") for n in (number, number + 1)
        }
        names = {one.name for one in newer}
        after = (*(one for one in MANY if one.name not in names), *newer)
        (chunk,) = changed(MANY, after)
        assert newer <= set(chunk), "two packages of one source are in two chunks"


def test_a_package_more_or_less_fetches_its_own_chunk_alone() -> None:
    for number in range(0, 200, 20):
        without = (*MANY[:number], *MANY[number + 1 :])
        # One that becomes too small is divided no more: then its two halves are one.
        for before, after in ((without, MANY), (MANY, without)):
            fetched = changed(before, after)
            assert len(fetched) <= 2
            assert sum(map(len, fetched)) <= MOST_PACKAGES


def test_packages_of_one_source_are_divided_where_they_are_too_many() -> None:
    found = chunks(deb(f"fonts-{number}", source="fonts") for number in range(100))
    assert max(map(len, found)) <= MOST_PACKAGES
    same = [
        replace(deb("x"), archive=archive, sha256=f"{n:064x}") for n in range(30) for archive in ("a", "b")
    ]
    # What would be one file cannot be told apart: the step refuses it.
    assert chunks(same) == (tuple(sorted(same)),)


def test_what_is_not_asked_for_together_is_not_fetched_together() -> None:
    named = lots(
        [("layer", ("libc6", "tzdata")), ("builder", ("libc6", "gcc")), ("layer", ("tzdata:armhf", "libc6"))]
    )
    assert named["tzdata"] == named["tzdata:armhf"]
    assert len({named["libc6"], named["tzdata"], named["gcc"]}) == 3
    packages = [deb(name, lot=named[name]) for name in ("gcc", "libc6", "tzdata")]
    assert [[one.name for one in chunk] for chunk in chunks(packages)] == [["gcc"], ["libc6"], ["tzdata"]]
    every = replace(deb("media-types"), architecture="all")
    assert chunks((every, deb("base-files"))) == ((deb("base-files"),), (every,))


def test_the_step_is_told_what_its_schema_says() -> None:
    def fail(path: str, what: str) -> SlimImageError:
        return SlimImageError(f"{path}: {what}")

    data = chunk_document((deb("libc6"), deb("zlib1g")))
    assert schemas.check(from_json(data, fail, DocumentLimits()), "debs").raw == json.loads(data)
    # Nothing in it tells who asks, or what the machine has.
    assert set(json.loads(data)["packages"][0]) == {"archive", "path", "size", "sha256"}


@pytest.mark.parametrize(
    ("chunk", "title"),
    [
        ((deb("libc6", version="2.36-9"),), "Fetch libc6 2.36-9 (amd64)"),
        ((deb("libc6"), deb("zlib1g")), "Fetch 2 Debian packages of b (amd64): libc6, zlib1g"),
        (
            tuple(deb(f"a-long-name-{number}") for number in range(9)),
            (
                "Fetch 9 Debian packages of b (amd64): a-long-name-0, a-long-name-1, a-long-name-2, "
                "a-long-name-3, a-long-name-4, a-long-name-5 and 3 more"
            ),
        ),
        ((deb("x" * 120), deb("y")), f"Fetch 2 Debian packages of b (amd64): {'x' * 120} and 1 more"),
    ],
)
def test_what_is_said_while_packages_are_fetched(chunk: tuple[DebPackage, ...], title: str) -> None:
    assert chunk_title(chunk, "b") == title


# --- this repository's own base -----------------------------------------------------------------------------

LOCK: dict[str, Any] = json.loads((ROOT / "3rdparty/debian/bookworm-py311.lock").read_bytes())
ADDRESS = Address("3rdparty/debian", target_name="bookworm-py311")


def asked(platform: str, lock: dict[str, Any] = LOCK) -> list[DebPackages]:
    """Return what a cold build for a platform asks for, on amd64."""
    base = debian_base(LockedBase(ADDRESS, "b.lock", lock), BaseRequest(ADDRESS, platform), "linux/amd64")
    programs = programs_for(base, base.builder)
    assert isinstance(base.interpreter.source, DebPackages)
    assert programs is not None
    layers = [DebPackages(group.packages, "b") for group in base.groups]
    return [*layers, base.interpreter.source, DebPackages(base.builder, "b"), programs.source]


@pytest.mark.parametrize(("platforms", "most"), [(1, 18), (3, 40)])
def test_a_build_fetches_each_package_of_a_base_once(platforms: int, most: int) -> None:
    requests = [one for platform in sorted(LOCK["platforms"])[:platforms] for one in asked(platform)]
    found = {chunk for request in requests for chunk in chunks(request.packages)}
    packages = [one for chunk in found for one in chunk]
    assert len(packages) == len(set(packages)) > 60
    assert set(packages) == {one for request in requests for one in request.packages}
    assert len(found) <= most


def test_a_security_update_fetches_what_it_changes_and_little_besides() -> None:
    before = {chunk for request in asked("linux/amd64") for chunk in chunks(request.packages)}
    update = json.loads(json.dumps(LOCK))
    for row in update["packages"].values():
        if row["path"].split("/")[-2] == "openssl":
            row["path"] = row["path"].replace(".deb", "+1.deb")
    after = {chunk for request in asked("linux/amd64", update) for chunk in chunks(request.packages)}
    (chunk,) = after - before
    assert "libssl3" in {one.name for one in chunk}
    assert sum(one.size for one in chunk) < MOST_BYTES


def test_the_names_of_lists_are_those_of_who_asks_at_one_time() -> None:
    lock = {
        "platforms": {
            "linux/amd64": {
                "layers": [{"title": "data", "packages": ["a"]}],
                "builder": ["b"],
                "builder_groups": {"lxml": ["c"]},
                "image_packages": {"tini": ["d"]},
            },
            "linux/arm64": {"layers": [{"title": "data", "packages": ["e"]}], "emulation": ["f"]},
        },
        "interpreters": {"linux/amd64": ["g"]},
        "tools": {"linux/amd64": {"bash": ["h"], "make": ["i"], "cargo": ["j"], "libc6-dev": ["k"]}},
        "compilers": {"linux/amd64": {"linux/arm64": ["l"]}},
    }
    found = {key: name for name, keys in package_lists(lock) for key in keys}
    assert found == {
        **dict.fromkeys("ae", "layer data"),
        "b": "builder",
        "c": "build lxml",
        "d": "image tini",
        "f": "emulation",
        "g": "interpreter",
        **dict.fromkeys("hi", "programs"),
        "j": "program cargo",
        "k": "program libc6-dev",
        "l": "compiler linux/arm64",
    }
    assert list(package_lists({})) == []
