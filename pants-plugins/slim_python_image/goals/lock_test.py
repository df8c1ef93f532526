from __future__ import annotations

import pytest
from pants.core.goals.generate_lockfiles import KnownUserResolveNames
from pants.engine.addresses import Address
from pants.engine.target import AllTargets, Target
from pants.testutil.option_util import create_subsystem

from slim_python_image.base_target import BaseSuitesField, DebianPythonBaseTarget
from slim_python_image.goals import lock
from slim_python_image.products import SlimImageError
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.base_locks import bases_by_name
from slim_python_image.wheel_set_target import PythonWheelSetTarget
from tests.support.rules import answer


def base(folder: str, name: str) -> Target:
    return DebianPythonBaseTarget({"suites": ["bookworm"]}, Address(folder, target_name=name))


def wheel_set(name: str = "wheels") -> Target:
    return PythonWheelSetTarget({"base": ":b"}, Address("src", target_name=name))


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
