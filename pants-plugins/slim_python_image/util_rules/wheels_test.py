from __future__ import annotations

import json
import platform
from typing import Any

import pytest
from pants.engine.fs import EMPTY_DIGEST
from pants.testutil.option_util import create_subsystem
from pants.util.docutil import bin_name
from pants.util.frozendict import FrozenDict

from slim_python_image.bases import BuilderGroup, DebianBase, DebPackage, Interpreter
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment
from slim_python_image.remedies import names
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.build_pins import (
    build_lock_path,
    empty_lock,
    parse_build_lock,
    pins_for,
)
from slim_python_image.util_rules.steps import StepOutcome
from slim_python_image.util_rules.wheels import builder_packages

SDIST = Artifact("netifaces", "0.11.0", "sdist", "netifaces-0.11.0.tar.gz", "a" * 64)


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def lock(*files: str) -> dict[str, Any]:
    return {
        "environments": [
            {"sdist": "netifaces==0.11.0", "sha256": "a" * 64, "python": "3.11", "pins": ["cython==3.0"]}
        ],
        "files": {"cython==3.0": [{"filename": f, "sha256": str(n) * 64} for n, f in enumerate(files)]},
    }


def chosen(*files: str) -> str:
    pins = pins_for(lock(*files), SDIST, "3.11", path="x.build.lock", resolve="x")
    return pins.artifacts[0].filename


def test_the_most_specific_wheel_of_this_machine() -> None:
    pure = "cython-3.0-py2.py3-none-any.whl"
    abi3 = "cython-3.0-cp39-abi3-manylinux_2_17_x86_64.whl"
    exact = "cython-3.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    others = (
        "cython-3.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        "cython-3.0-cp311-cp311-manylinux_2_17_aarch64.whl",
        "cython-3.0-cp311-cp311-musllinux_1_1_x86_64.whl",
        "cython-3.0-cp311-cp311-macosx_10_9_x86_64.whl",
    )
    assert chosen(*others, pure, abi3, exact) == exact
    assert chosen(*others, pure, abi3) == abi3
    assert chosen(*others, pure) == pure
    assert chosen("ninja-1-py3-none-manylinux_2_17_x86_64.whl").startswith("ninja")


def test_no_wheel_for_this_machine() -> None:
    with pytest.raises(SlimImageError) as e:
        chosen("cython-3.0-cp311-cp311-macosx_10_9_x86_64.whl")
    assert str(e.value) == (
        "x.build.lock: the build requirement cython==3.0 of netifaces==0.11.0 has no wheel for Linux x86_64\n"
        f"  -> lock its build requirements: {bin_name()} generate-lockfiles --resolve=x-build"
    )


@pytest.mark.parametrize(
    ("artifact", "minor"),
    [
        (Artifact("netifaces", "0.11.1", "sdist", "f", "a" * 64), "3.11"),
        (SDIST, "3.13"),
        (Artifact("netifaces", "0.11.0", "sdist", "f", "b" * 64), "3.11"),
    ],
)
def test_an_sdist_that_is_not_locked(artifact: Artifact, minor: str) -> None:
    with pytest.raises(SlimImageError) as e:
        pins_for(lock(), artifact, minor, path="3rdparty/x.build.lock", resolve="x")
    assert str(e.value) == (
        f"3rdparty/x.build.lock: the build requirements of {artifact.name}=={artifact.version} for Python "
        f"{minor} are not locked, and it has to be compiled\n"
        f"  -> lock its build requirements: {bin_name()} generate-lockfiles --resolve=x-build"
    )


def test_the_build_lock_stands_beside_the_lockfile() -> None:
    assert build_lock_path("default", "3rdparty/python/d.lock") == "3rdparty/python/default.build.lock"
    assert build_lock_path("default", "d.lock") == "default.build.lock"


def test_a_build_lock_that_is_none() -> None:
    assert parse_build_lock("x", None, "r") == empty_lock()
    with pytest.raises(SlimImageError, match="is not JSON"):
        parse_build_lock("x", b"<<<<<<< HEAD", "r")
    with pytest.raises(SlimImageError) as e:
        parse_build_lock("x", json.dumps({"schema": "ociwheel.build-lock/9"}).encode(), "r")
    assert str(e.value) == (
        "x: expected a ociwheel.build-lock/1 document, found 'ociwheel.build-lock/9'\n"
        f"  -> write it again: {bin_name()} generate-lockfiles --resolve=r-build"
    )


def test_a_failed_build_names_the_resolve_and_the_base_that_its_key_must_not_hold() -> None:
    fault = {
        "schema": "ociwheel.error/1",
        "kind": "build",
        "what": "x.h is missing",
        "where": "netifaces",
        "details": ["end of the build's output:"],
        "errors": [],
        "remedy": {"code": "add-builder-package", "arguments": {"package": "libx-dev", "base": "the base"}},
    }
    failed = StepOutcome("{}", EMPTY_DIGEST, "said", json.dumps(fault))
    lock = f"{bin_name()} generate-lockfiles"
    start = "netifaces: x.h is missing\n  end of the build's output:\n"
    assert failed.naming(names("tools", "bookworm")).error == (
        f'{start}  -> add "libx-dev" to builder_packages of the base, then: {lock} --resolve=bookworm'
    )
    assert failed.naming(names("tools", "py", builder_image=True)).error == (
        f'{start}  -> add "libx-dev" to the builder image of the base, then: {lock} --resolve=py'
    )
    fault["remedy"] = {"code": "relock-build-requirements", "arguments": {"resolve": "<resolve>"}}
    failed = StepOutcome("{}", EMPTY_DIGEST, "said", json.dumps(fault))
    assert failed.naming(names("tools", "bookworm")).error == (
        f"{start}  -> lock the build requirements anew: {lock} --resolve=tools-build"
    )
    done = StepOutcome("{}", EMPTY_DIGEST)
    assert done.naming(names("tools", "bookworm")) is done


def deb(name: str) -> DebPackage:
    return DebPackage(name, "1", "amd64", "debian", f"pool/{name}.deb", 1, "0" * 64)


def base_with(**groups: BuilderGroup) -> DebianBase:
    target = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")
    interpreter = Interpreter("bookworm", target, None)
    return DebianBase("bookworm", target, interpreter, (), (deb("zlib1g-dev"),), FrozenDict(groups))


def test_only_the_distribution_of_a_group_is_compiled_against_it() -> None:
    group = BuilderGroup(("libxml2-dev",), (deb("libxml2"), deb("libxml2-dev")))
    options = create_subsystem(SlimImageOptions, builds={"lxml": {"builder_packages": ["libxml2-dev"]}})
    base = base_with(lxml=group)
    assert builder_packages(base, "lxml", options) == (deb("zlib1g-dev"), deb("libxml2"), deb("libxml2-dev"))
    assert builder_packages(base, "netifaces", options) == base_with().builder


@pytest.mark.parametrize(
    ("groups", "state"),
    [({}, "not in"), ({"lxml": BuilderGroup(("libxslt1-dev",), ())}, "other than those in")],
)
def test_a_group_that_is_not_in_the_lock(groups: dict[str, BuilderGroup], state: str) -> None:
    options = create_subsystem(SlimImageOptions, builds={"lxml": {"builder_packages": ["libxml2-dev"]}})
    with pytest.raises(SlimImageError) as e:
        builder_packages(base_with(**groups), "lxml", options)
    assert str(e.value) == (
        f"[slim-image].builds: the `builder_packages` of lxml (libxml2-dev) are {state} the lock of the base "
        f"bookworm\n  -> lock them: {bin_name()} generate-lockfiles --resolve=bookworm"
    )
    assert builder_packages(base_with(**groups), "netifaces", options) == base_with().builder
