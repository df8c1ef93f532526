from __future__ import annotations

import json
import platform
from dataclasses import asdict
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.util.docutil import bin_name

from slim_python_image.base_target import DebianPythonBaseTarget
from slim_python_image.bases import BuilderGroup, DebPackage, LayerGroup
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.base_locks import host_platform, parse_lock
from slim_python_image.util_rules.debian_locks import (
    LOCK_SCHEMA,
    LockedBase,
    accepted_scripts,
    added_groups,
    builder_groups,
    check_inputs,
    lock_inputs,
    made_with,
    runtime_packages,
)

ADDRESS = Address("3rdparty/debian", target_name="b")
PATH = "3rdparty/debian/b.lock"


def target(**fields: Any) -> DebianPythonBaseTarget:
    return DebianPythonBaseTarget({"suites": ["bookworm"], **fields}, ADDRESS)


def locked(of: DebianPythonBaseTarget, **changes: Any) -> LockedBase:
    lock = {
        "schema": LOCK_SCHEMA,
        "inputs": {key: value for key, value in lock_inputs(of).items() if key != "name"},
        "python": "3.11",
        "platforms": {platform: {} for platform in lock_inputs(of)["platforms"]},
        **changes,
    }
    data = json.dumps(lock).encode()
    return LockedBase(ADDRESS, PATH, parse_lock(ADDRESS, PATH, data, LOCK_SCHEMA))


def message(of: DebianPythonBaseTarget, lock: LockedBase) -> str:
    with pytest.raises(SlimImageError) as e:
        check_inputs(of, lock)
    return str(e.value)


def test_a_lock_of_the_same_fields() -> None:
    for fields in ({}, {"excluded_packages": ["perl-base"]}, {"python": "3.11", "packages": ["tzdata"]}):
        check_inputs(target(**fields), locked(target(**fields)))


def test_a_platform_less_needs_no_new_lock() -> None:
    both = target(platforms=["linux/amd64", "linux/arm64"])
    check_inputs(target(platforms=["linux/arm64"]), locked(both))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"suites": ["bookworm", "bookworm-security"]}, "`suites`"),
        ({"components": ["main", "contrib"]}, "`components`"),
        ({"packages": ["libpq5"], "builder_packages": ["libpq-dev"]}, "`packages`, `builder_packages`"),
        ({"excluded_packages": []}, "`excluded_packages`"),
        ({"python": "3.13"}, "`python`"),
        ({"platforms": ["linux/amd64", "linux/arm/v7"]}, "`platforms`"),
    ],
)
def test_a_stale_lock(fields: dict[str, Any], named: str) -> None:
    assert message(target(**fields), locked(target())) == (
        f"{PATH}: the lock is older than the fields {named} of 3rdparty/debian:b\n"
        f"  -> write it again: {bin_name()} generate-lockfiles --resolve=b"
    )


def test_no_lock() -> None:
    with pytest.raises(SlimImageError) as e:
        parse_lock(ADDRESS, PATH, None, LOCK_SCHEMA)
    assert str(e.value) == (
        f"3rdparty/debian:b: the base has no lock, {PATH} is not there\n"
        f"  -> write it: {bin_name()} generate-lockfiles --resolve=b"
    )


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"<<<<<<<", "is not JSON (Expecting value: line 1 column 1 (char 0)); a merge conflict?"),
        (b"[]", f"expected a {LOCK_SCHEMA} document, found None"),
        (b'{"schema": "x/2"}', f"expected a {LOCK_SCHEMA} document, found 'x/2'"),
    ],
)
def test_a_lock_that_is_none(data: bytes, what: str) -> None:
    with pytest.raises(SlimImageError) as e:
        parse_lock(ADDRESS, PATH, data, LOCK_SCHEMA)
    assert str(e.value) == (
        f"{PATH}: {what}\n  -> write it again: {bin_name()} generate-lockfiles --resolve=b"
    )


def test_packages_by_their_keys() -> None:
    row = {
        "name": "tzdata",
        "version": "2026b-0+deb12u1",
        "architecture": "all",
        "archive": "debian",
        "path": "pool/main/t/tzdata/tzdata_2026b-0+deb12u1_all.deb",
        "size": 1,
        "sha256": "0" * 64,
    }
    lock = LockedBase(ADDRESS, PATH, {"packages": {"tzdata": row}})
    (package,) = lock.packages(["tzdata"])
    assert package == DebPackage(**row)  # type: ignore[arg-type]
    assert package.filename == "tzdata_2026b-0+deb12u1_all.deb"


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        ("x86_64", "linux/amd64"),
        ("AMD64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("arm64", "linux/arm64"),
    ],
)
def test_the_platform_of_this_machine(monkeypatch: pytest.MonkeyPatch, machine: str, found: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert host_platform() == found


def test_a_machine_that_runs_no_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(SlimImageError) as e:
        host_platform()
    assert str(e.value) == (
        "this machine is a riscv64, where no step runs\n  -> build on one of these: linux/amd64, linux/arm64"
    )


def test_groups_are_read_from_the_lock_and_an_old_lock_has_none() -> None:
    package = DebPackage("libxml2-dev", "2", "amd64", "debian", "pool/libxml2-dev.deb", 1, "0" * 64)
    of = target(platforms=["linux/amd64"])
    assert not builder_groups(locked(of), "linux/amd64")
    inputs = {**lock_inputs(of), "builder_groups": {"lxml": ["libxml2-dev"], "zope": ["zlib1g-dev"]}}
    lock = locked(
        of,
        inputs=inputs,
        platforms={"linux/amd64": {"builder_groups": {"lxml": ["libxml2-dev=2"], "zope": []}}},
        packages={"libxml2-dev=2": asdict(package)},
    )
    check_inputs(of, lock)
    assert dict(builder_groups(lock, "linux/amd64")) == {
        "lxml": BuilderGroup(("libxml2-dev",), (package,)),
        "zope": BuilderGroup(("zlib1g-dev",), ()),
    }


def test_the_compiler_of_emulated_builds_is_an_input_of_the_lock() -> None:
    with_compiler = target(emulation_packages=["gcc"])
    check_inputs(with_compiler, locked(with_compiler))
    assert "`emulation_packages`" in message(with_compiler, locked(target()))


def test_scripts_are_accepted_of_packages_that_the_base_has() -> None:
    package = DebPackage("fontconfig", "2", "amd64", "debian", "pool/fontconfig.deb", 1, "0" * 64)
    of = target(accept_scripts=["fontconfig"])
    lock = locked(of, packages={"fontconfig=2": asdict(package)})
    check_inputs(of, lock)
    assert accepted_scripts(of, lock) == ("fontconfig",)
    with pytest.raises(SlimImageError) as e:
        accepted_scripts(target(accept_scripts=["fontconfg", "fontconfig"]), lock)
    assert str(e.value) == (
        f"{PATH}: `accept_scripts` of 3rdparty/debian:b names fontconfg, which the base does not have\n"
        "  -> take it out of that field"
    )


def test_packages_of_images_are_read_from_the_lock() -> None:
    tini, curl, fonts = (
        DebPackage(name, "1", "amd64", "debian", f"pool/{name}.deb", 1, "0" * 64)
        for name in ("tini", "curl", "fonts")
    )
    rows = {"tini": ["tini=1"], "curl, tini": ["curl=1", "tini=1"], "fonts": ["fonts=1"], "libc6": []}
    lock = locked(
        target(platforms=["linux/amd64", "linux/arm64"]),
        packages={f"{one.name}=1": asdict(one) for one in (tini, curl, fonts)},
        platforms={
            "linux/amd64": {"layers": [{"packages": ["fonts=1"]}], "image_packages": rows},
            "linux/arm64": {"layers": []},
        },
    )
    check_inputs(target(platforms=["linux/amd64", "linux/arm64"]), lock)
    assert added_groups(lock, "linux/amd64", (), "a:image") == ()
    assert added_groups(lock, "linux/amd64", ("libc6",), "a:image") == ()
    assert added_groups(lock, "linux/amd64", ("tini", "curl, tini"), "a:image") == (
        LayerGroup("packages tini", bytecode=False, packages=(tini,)),
        LayerGroup("packages curl", bytecode=False, packages=(curl,)),
    )
    assert added_groups(lock, "linux/amd64", ("curl, tini",), "a:image") == (
        LayerGroup("packages curl, tini", bytecode=False, packages=(curl, tini)),
    )
    # Programs that make files see all of them, or none where this machine runs none of them.
    assert made_with(lock, "linux/amd64", ("tini", "curl, tini")) == (fonts, tini, curl)
    assert made_with(lock, "linux/arm64", ("tini",)) == made_with(lock, "linux/riscv64", ()) == ()
    with pytest.raises(SlimImageError) as e:
        added_groups(lock, "linux/arm64", ("tini",), "a:image")
    assert str(e.value) == (
        f"a:image: the packages tini (the field `extra_packages`) are not in {PATH} for linux/arm64\n"
        f"  -> lock them: {bin_name()} generate-lockfiles --resolve=b"
    )


def test_the_packages_that_this_machine_runs() -> None:
    package = DebPackage("fontconfig", "2", "amd64", "debian", "pool/fontconfig.deb", 1, "0" * 64)
    lock = locked(
        target(),
        packages={"fontconfig=2": asdict(package)},
        platforms={"linux/amd64": {"layers": [{"packages": ["fontconfig=2"]}, {"packages": []}]}},
    )
    assert runtime_packages(lock, "linux/amd64") == (package,)
    assert runtime_packages(lock, "linux/arm64") == ()
