from __future__ import annotations

import json
import platform
from dataclasses import replace

import pytest
from pants.engine.fs import EMPTY_DIGEST
from pants.testutil.option_util import create_subsystem
from pants.util.docutil import bin_name
from pants.util.frozendict import FrozenDict

from slim_python_image.bases import BuilderGroup, DebianBase, DebPackage, DebPackages, Interpreter
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment
from slim_python_image.remedies import names
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.build_pins import BuildPinsRequest, build_lock_path, pins_on_this_machine
from slim_python_image.util_rules.steps import StepOutcome
from slim_python_image.util_rules.wheels import builder_packages, gcc_for

SDIST = Artifact("netifaces", "0.11.0", "sdist", "netifaces-0.11.0.tar.gz", "a" * 64)


def test_the_build_lock_stands_beside_the_lockfile() -> None:
    assert build_lock_path("default", "3rdparty/python/d.lock") == "3rdparty/python/default.build.lock"
    assert build_lock_path("default", "d.lock") == "default.build.lock"


def test_build_requirements_are_installed_where_builds_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    musl = TargetEnvironment("linux/amd64", "3.11.2", "musl", "1.2")
    content = Interpreter(
        "bookworm", replace(musl, libc="glibc", libc_version="2.36"), DebPackages((), "bookworm")
    )

    def asked(interpreter: Interpreter) -> BuildPinsRequest:
        return pins_on_this_machine((SDIST,), "x", "x.lock", interpreter)

    assert asked(content) == BuildPinsRequest((SDIST,), "x", "x.lock", content.target)
    # A Python of the machine's own has the machine's libc.
    own = asked(Interpreter("alpine", musl, None)).target
    assert (own.libc, own.libc_version, own.python) == ("glibc", "2.31", "3.11.2")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert asked(content).macos == "arm64"


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


def test_gcc_comes_from_the_lock_or_the_command_is_told() -> None:
    options = create_subsystem(SlimImageOptions, builds={"RPi.GPIO": {"compiler": "gcc"}})
    assert gcc_for(base_with(), "netifaces", options) is None
    with pytest.raises(SlimImageError) as e:
        gcc_for(base_with(), "rpi-gpio", options)
    assert str(e.value) == (
        "[slim-image].builds: the `compiler` of rpi-gpio is gcc, which is not in the lock of the base bookworm\n"
        f"  -> lock it: {bin_name()} generate-lockfiles --resolve=bookworm"
    )
    found = gcc_for(replace(base_with(), gcc=(deb("g++-12"),)), "rpi-gpio", options)
    assert found is not None
    assert found.source.packages == (deb("g++-12"),)
