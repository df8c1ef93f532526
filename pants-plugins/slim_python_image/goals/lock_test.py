from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Awaitable, Iterable

import pytest
from pants.core.goals.generate_lockfiles import KnownUserResolveNames
from pants.engine.addresses import Address
from pants.engine.target import AllTargets, Target
from pants.testutil.option_util import create_subsystem

from slim_python_image.base_target import BaseSuitesField, DebianPythonBaseTarget
from slim_python_image.bases import DebianBase, Interpreter
from slim_python_image.goals import lock
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.base_locks import bases_by_name
from slim_python_image.util_rules.subjects import Subject, SubjectAttempt, SubjectRequest
from slim_python_image.wheel_set_target import PythonWheelSetTarget
from tests.support.rules import answer


def base(folder: str, name: str) -> Target:
    return DebianPythonBaseTarget({"suites": ["bookworm"]}, Address(folder, target_name=name))


def wheel_set(name: str = "wheels") -> Target:
    return PythonWheelSetTarget({"base": ":b"}, Address("src", target_name=name))


def python_setup(**resolves: str) -> Any:
    return SimpleNamespace(enable_resolves=True, resolves=resolves)


def test_bases_are_known_by_their_names() -> None:
    targets = AllTargets([base("b", "two"), base("a", "one"), wheel_set()])
    found = answer(lock.known_bases, lock.KnownBaseNamesRequest(), targets)
    assert isinstance(found, KnownUserResolveNames)
    assert found.names == ("one", "two")


def test_two_bases_of_one_name() -> None:
    with pytest.raises(SlimImageError) as e:
        bases_by_name([base("a", "bookworm"), base("b", "bookworm")], BaseSuitesField)
    assert str(e.value) == (
        "a:bookworm and b:bookworm are bases of one name, which is the name of their lock too\n"
        "  -> rename one"
    )


def test_only_the_bases_asked_for_are_locked() -> None:
    targets = AllTargets([base("a", "one"), base("b", "two")])
    requested = lock.RequestedBaseNames(["two"])
    options = create_subsystem(SlimImageOptions, builds={})
    (request,) = answer(lock.base_lock_requests, requested, targets, options)
    assert (request.resolve_name, request.lockfile_dest) == ("two", "b/two.lock")
    assert '"suites":["bookworm"]' in request.request
    assert "builder_groups" not in request.request


def test_a_base_locks_gcc_where_a_distribution_is_compiled_with_it() -> None:
    def request(**builds: str) -> str:
        settings = {name: {"compiler": compiler} for name, compiler in builds.items()}
        return lock.lock_request(base("a", "one"), create_subsystem(SlimImageOptions, builds=settings))

    assert '"compilers":["gcc"]' in request(RPi_GPIO="gcc", lxml="clang")
    assert "compilers" not in request(lxml="clang")
    with pytest.raises(SlimImageError, match="`compiler` of lxml is 'icc'"):
        request(lxml="icc")


def test_a_base_locks_the_builder_packages_of_single_distributions() -> None:
    options = create_subsystem(SlimImageOptions, builds={"LXML": {"builder_packages": ["b-dev", "a-dev"]}})
    request = lock.lock_request(base("a", "one"), options)
    assert '"builder_groups":{"lxml":["a-dev","b-dev"]}' in request


def attempts(monkeypatch: pytest.MonkeyPatch, found: dict[Address, SubjectAttempt]) -> None:
    async def attempt(request: SubjectRequest, **_: object) -> SubjectAttempt:
        return found[request.address]

    async def at_once(calls: Iterable[Awaitable[Any]]) -> tuple[Any, ...]:
        return tuple([await one for one in calls])

    monkeypatch.setattr(lock, "attempt_subject", attempt)
    monkeypatch.setattr(lock, "concurrently", at_once)


def subject(address: Address, resolve: str) -> SubjectAttempt:
    made = Subject(address, Address("b"), ("linux/amd64",), (), resolve, f"{resolve}.lock", (), ())
    return SubjectAttempt(made)


WHEELS = Address("src", target_name="wheels")


def test_a_resolve_that_is_taken_has_a_build_lock_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = python_setup(main="3rdparty/main.lock", tools="tools.lock")
    known = answer(lock.known_build_locks, lock.KnownBuildLockNamesRequest(), setup)
    assert known.names == ("main-build", "tools-build")
    requested = lock.RequestedBuildLockNames(["main-build", "tools-build"])
    attempts(monkeypatch, {WHEELS: subject(WHEELS, "main")})
    (request,) = answer(lock.build_lock_requests, requested, AllTargets([wheel_set()]), setup)
    assert request.lockfile_dest == "3rdparty/main.build.lock"
    assert request.python_resolve == "main"
    assert request.subjects == (WHEELS,)


def test_a_broken_target_stops_no_lock_of_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    requested = lock.RequestedBuildLockNames(["main-build"])
    targets = AllTargets([wheel_set("one"), wheel_set("two")])
    one, two = (target.address for target in targets)
    attempts(monkeypatch, {one: SubjectAttempt(error="no such base"), two: subject(two, "main")})
    (request,) = answer(lock.build_lock_requests, requested, targets, python_setup(main="main.lock"))
    assert request.subjects == (two,)
    assert caplog.messages == [f"Nothing is locked for {one}: no such base"]


def test_a_resolve_that_nothing_takes_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    requested = lock.RequestedBuildLockNames(["pytest-build"])
    attempts(monkeypatch, {})
    made = answer(
        lock.build_lock_requests, requested, AllTargets([base("a", "one")]), python_setup(pytest="p.lock")
    )
    assert list(made) == []
    assert caplog.messages == ["pytest-build: no image and no wheel set is of the resolve pytest."]


def need(platform: str, python: str) -> lock.PlanNeed:
    target = TargetEnvironment(platform, python, "glibc", "2.36")
    interpreter = Interpreter("b", TargetEnvironment("linux/amd64", python, "glibc", "2.36"), None)
    made = DebianBase("b", target, interpreter, (), ())
    return lock.PlanNeed(SimpleNamespace(), made)  # type: ignore[arg-type]


def test_one_python_of_each_minor_version_looks_at_all_its_sdists() -> None:
    sdist = Artifact("netifaces", "0.11.0", "sdist", "netifaces-0.11.0.tar.gz", "a" * 64)
    other = Artifact("ujson", "5.0", "sdist", "ujson-5.0.tar.gz", "b" * 64)
    wheel = Artifact("idna", "3.10", "wheel", "idna-3.10-py3-none-any.whl", "c" * 64)
    needs = [need("linux/amd64", "3.11.2"), need("linux/arm/v7", "3.11.2"), need("linux/amd64", "3.13.5")]
    found = lock.sdists_by_interpreter(needs, [[sdist, wheel], [other, sdist], [wheel]])
    assert {python.target.python: sdists for python, sdists in found.items()} == {"3.11.2": (sdist, other)}


def test_wheels_for_the_platforms_of_emulated_builds_are_locked_too() -> None:
    sdist = Artifact("lxml", "5.0", "sdist", "lxml-5.0.tar.gz", "a" * 64)
    other = Artifact("ujson", "5.0", "sdist", "ujson-5.0.tar.gz", "b" * 64)
    needs = [need("linux/amd64", "3.11.2"), need("linux/arm/v7", "3.11.2")]
    options = create_subsystem(SlimImageOptions, builds={"lxml": {"emulate": ["linux/arm/v7"]}})
    assert lock.emulated_platforms([sdist, other], needs, options) == {"lxml": ["linux/arm/v7"]}
