from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import Digest
from pants.util.frozendict import FrozenDict

from slim_python_image.goals.coverage import Findings, Place, Planned, by_place, faults, newest_requests, rows
from slim_python_image.goals.coverage_report import Fault
from slim_python_image.products import Artifact, Root, TargetEnvironment
from slim_python_image.util_rules.newest_wheels import NewestWheels
from slim_python_image.util_rules.plan_coverage import InspectedSdist, PlanOutcome
from slim_python_image.util_rules.plans import PlannedArtifact, WheelPlan
from slim_python_image.util_rules.subjects import Subject

ARM = TargetEnvironment("linux/arm/v7", "3.11.2", "glibc", "2.36")
WHEEL = Artifact("anyio", "4.16.0", "wheel", "anyio-4.16.0-py3-none-any.whl", "a" * 64)
SDIST = Artifact("ujson", "6.1.0", "sdist", "ujson-6.1.0.tar.gz", "b" * 64)
PLACE = Place("linux/arm/v7", "x.lock", "x", ARM)
NOTHING = Findings({}, {}, {}, frozenset())


def planned(
    name: str = "a",
    target: Optional[TargetEnvironment] = ARM,
    error: Optional[str] = None,
    no_binary: tuple[str, ...] = (),
) -> Planned:
    subject = Subject(
        address=Address(f"src/{name}", target_name="image"),
        base=Address("base"),
        platforms=("linux/arm/v7",),
        roots=(Root(f"{name}>=1", f"//:{name}"),),
        resolve="x",
        lockfile="x.lock",
        no_binary=no_binary,
        only_binary=(),
    )
    plan = WheelPlan((PlannedArtifact(WHEEL, None), PlannedArtifact(SDIST, Digest("c" * 64, 9))), (5, None))
    outcome = PlanOutcome(error=error) if error else PlanOutcome(target, plan)
    return Planned(subject, "linux/arm/v7", outcome)


def test_targets_of_one_platform_python_and_lock_share_a_table() -> None:
    newer = replace(ARM, python="3.13.5")
    first, second, other = planned("b"), planned("a"), planned("c", newer)
    groups = by_place([other, first, second])
    assert list(groups.items()) == [
        (PLACE, (second, first)),
        (replace(PLACE, target=newer), (other,)),
    ]


def test_a_failed_plan_goes_to_the_table_of_its_platform() -> None:
    fine, failed = planned("a"), planned("b", error="no")
    assert by_place([failed, fine]) == {PLACE: (fine, failed)}
    assert by_place([failed]) == {replace(PLACE, target=None): (failed,)}


def test_rows_are_artifacts() -> None:
    found = Findings(
        sdists={SDIST: InspectedSdist(True, False, 9)},
        newest={PLACE: NewestWheels(FrozenDict({"ujson": "5.9.0"}))},
        sizes={WHEEL: 6},
        pure=frozenset(),
    )
    wheel, sdist = rows(PLACE, [planned("a", no_binary=("ujson",)), planned("b")], found)
    assert (wheel.artifact, wheel.size, wheel.targets) == (WHEEL, 6, ("src/a:image", "src/b:image"))
    assert (sdist.size, sdist.native, sdist.reason) == (9, True, "no_wheel")
    assert (sdist.newest_wheel, sdist.searched) == ("5.9.0", True)


def test_what_nobody_wants_as_a_wheel_is_not_looked_for() -> None:
    by_choice = planned(no_binary=(":all:",))
    assert newest_requests({PLACE: (by_choice,)}, {}) == {}
    (row,) = rows(PLACE, [by_choice], NOTHING)[1:]
    assert (row.reason, row.searched, row.native) == ("no_binary", False, None)


def test_what_is_looked_for_satisfies_the_whole_resolve() -> None:
    elsewhere = Root("ujson<6", "//:elsewhere")
    requests = newest_requests({PLACE: (planned("a"), planned("b"))}, {"x": (elsewhere,), "y": ()})
    assert requests[PLACE].names == ("ujson",)
    assert requests[PLACE].roots == (Root("a>=1", "//:a"), Root("b>=1", "//:b"), elsewhere)


def test_an_sdist_that_is_meant_to_be_pure() -> None:
    found = replace(NOTHING, sdists={SDIST: InspectedSdist(True, False, 9)}, pure=frozenset({"ujson"}))
    assert rows(PLACE, [planned()], found)[1].native is False


@pytest.mark.parametrize("name", ["a", "b"])
def test_faults_say_for_whom(name: str) -> None:
    found = replace(
        NOTHING,
        sdists={SDIST: InspectedSdist(error="gone")},
        newest={PLACE: NewestWheels(error="offline")},
    )
    failed = planned("c", error="no plan")
    assert faults(PLACE, [planned(name), failed], found) == (
        Fault((f"src/{name}:image",), "gone"),
        Fault(("src/c:image",), "no plan"),
        Fault((f"src/{name}:image", "src/c:image"), "offline"),
    )
