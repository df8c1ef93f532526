from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from pants.util.frozendict import FrozenDict

from slim_python_image.bases import DebianBase, DebPackage, DebPackages, Interpreter
from slim_python_image.products import Root, TargetEnvironment
from slim_python_image.util_rules import wheels
from slim_python_image.util_rules.build_programs import host_sysroot, programs_for
from slim_python_image.util_rules.build_wheel import BuildFailed
from slim_python_image.util_rules.newest_wheels import NewestWheels, NewestWheelsRequest
from slim_python_image.util_rules.wheels import WheelSetRequest


def deb(name: str) -> DebPackage:
    return DebPackage(name, "1", "amd64", "debian", f"pool/{name}.deb", 1, "0" * 64)


def base_with() -> DebianBase:
    target = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")
    interpreter = Interpreter("bookworm", target, None)
    return DebianBase("bookworm", target, interpreter, (), (deb("zlib1g-dev"),))


def test_a_build_gets_programs_and_cargo_where_its_builder_has_rusts_library() -> None:
    base = replace(
        base_with(),
        programs=FrozenDict(
            {
                "make": (deb("make"),),
                "sed": (deb("sed"),),
                "cargo-web": (deb("cargo-web"), deb("rustc-web")),
                "libc6-dev": (deb("libc6-dev"), deb("libgcc-12-dev")),
            }
        ),
    )
    plain = programs_for(base, base.builder)
    assert plain is not None
    assert ([p.name for p in plain.source.packages], plain.libraries) == (["make", "sed"], None)
    assert host_sysroot(plain) is None
    rust = programs_for(base, (*base.builder, deb("libstd-rust-web-dev")))
    assert rust is not None
    assert [p.name for p in rust.source.packages] == ["cargo-web", "make", "rustc-web", "sed"]
    host = host_sysroot(rust)
    assert host is not None
    assert isinstance(host.source, DebPackages)
    assert (host.target.platform, [p.name for p in host.source.packages]) == (
        "linux/amd64",
        ["libc6-dev", "libgcc-12-dev"],
    )


def test_a_lock_of_before_programs_were_locked_has_none() -> None:
    assert programs_for(base_with(), ()) is None


@pytest.mark.parametrize(
    ("no_binary", "newest", "said"),
    [
        (
            (),
            NewestWheels(FrozenDict({"orjson": "3.10.2"})),
            (
                "it is written in Rust\n  -> or lock orjson==3.10.2: the newest version that the requirements "
                "allow and that has a wheel for linux/amd64 and Python 3.11"
            ),
        ),
        (
            ("orjson",),
            NewestWheels(FrozenDict({"orjson": "3.10.2"})),
            (
                "it is written in Rust\n  -> or take orjson out of `no_binary` of the image and "
                "[python].resolves_to_no_binary: 3.10.2 has a wheel for linux/amd64 and Python 3.11"
            ),
        ),
        (
            (),
            NewestWheels(FrozenDict({"orjson": None})),
            (
                "it is written in Rust\n  no version that the requirements allow has a wheel for linux/amd64 "
                "and Python 3.11"
            ),
        ),
        ((), NewestWheels(error="the index does not answer"), "it is written in Rust"),
    ],
)
def test_a_failed_build_names_the_version_that_needs_none(
    no_binary: tuple[str, ...], newest: NewestWheels, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def newest_wheel(request: NewestWheelsRequest, **_: object) -> NewestWheels:
        asked.append(request)
        return newest

    monkeypatch.setattr(wheels, "find_newest_wheels", newest_wheel)
    root = Root("orjson<3.11", "//:orjson")
    request = WheelSetRequest((root,), "x.lock", "default", base_with(), no_binary, ())
    advice = wheels.with_advice(BuildFailed("it is written in Rust", "orjson"), request)
    assert str(asyncio.run(advice)) == said
    assert asked == [NewestWheelsRequest(("orjson",), (root,), "x.lock", base_with().target)]
