"""Plans of locks that set requirements aside, or hold what comes from no index."""

from __future__ import annotations

from typing import Any

import pytest

from ociwheel.errors import LockError, PlanError
from ociwheel.plan.model import parse_request
from ociwheel.plan.plan_step import plan
from ociwheel.plan.plan_test import AMD64, LOCK, entry
from tests.support.values import value_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = {"kind": "git", "url": "https://git.example/tool.git", "commit": COMMIT}


def planned(roots: list[str], *entries: dict[str, Any], **fields: Any) -> dict[str, list[dict[str, Any]]]:
    """Return a plan for linux/amd64."""
    rows = [{"requirement": root, "origin": "src/app:reqs"} for root in roots]
    return plan(
        parse_request(value_of({"roots": rows, "entries": list(entries), "lockfile": LOCK, **fields})), AMD64
    )


def versions(roots: list[str], *entries: dict[str, Any], **fields: Any) -> dict[str, str]:
    """Return the planned versions by name."""
    return {row["name"]: row["version"] for row in planned(roots, *entries, **fields)["artifacts"]}


def failure(*args: Any, **fields: Any) -> str:
    """Return the message of a plan that cannot be made."""
    with pytest.raises(PlanError) as caught:
        planned(*args, **fields)
    return caught.value.render()


def test_what_is_overridden_is_no_conflict() -> None:
    lock = (entry("a", "1", "urllib3>=2"), entry("urllib3", "1.26"))
    assert "urllib3 1.26 is locked, which is not what is required" in failure(["a"], *lock)
    assert versions(["a"], *lock, overridden=["urllib3<2"]) == {"a": "1", "urllib3": "1.26"}
    assert "not satisfied: a requires urllib3<1" in failure(["a"], *lock, overridden=["urllib3<1"])
    # uv's overrides count for what is required directly too.
    assert versions(["urllib3>=2"], *lock, overridden=["URLlib3==1.26"]) == {"urllib3": "1.26"}


def test_another_project_in_the_place_of_one() -> None:
    lock = (entry("a", "1", 'cowsay ; extra == "x"', "b"), entry("my-cowsay", "3"), entry("b"))
    assert versions(["a"], *lock, overridden=["cowsay=my-cowsay>2"]) == {"a": "1", "b": "1.0"}
    assert versions(["a[x]"], *lock, overridden=["cowsay=my-cowsay>2"]) == {
        "a": "1",
        "b": "1.0",
        "my-cowsay": "3",
    }


def test_an_override_with_a_marker_that_is_false_drops_a_requirement() -> None:
    lock = (entry("a", "1", "b"),)
    assert versions(["a"], *lock, overridden=["b ; sys_platform == 'never'"]) == {"a": "1"}


def test_what_is_excluded_is_not_missing() -> None:
    lock = (entry("a", "1", "certifi>=2023", "b"), entry("b"))
    assert "certifi is not in the lock" in failure(["a"], *lock)
    assert versions(["a", "certifi"], *lock, excluded=["Certifi"]) == {"a": "1", "b": "1.0"}


def test_an_exclude_of_some_versions() -> None:
    lock = (entry("a", "1", "b"), entry("b", "2"))
    assert versions(["a"], *lock, excluded=["b<2"]) == {"a": "1", "b": "2"}
    assert versions(["a"], *lock, excluded=["b>=2"]) == {"a": "1"}
    assert versions(["a"], *lock, excluded=["b<1", "b>3"]) == {"a": "1", "b": "2"}


def test_messages_of_overrides_and_excludes() -> None:
    assert failure(["a"], entry("a"), overridden=["not one"]).startswith(
        f"{LOCK}: an override is no requirement: not one (Expected"
    )
    assert failure(["a"], entry("a"), excluded=["=2"]).startswith(
        f"{LOCK}: an exclude is no requirement: =2 ("
    )


def test_a_commit_is_planned_as_an_sdist() -> None:
    tool = {**entry("tool", "1.0", "b", files=["tool-1.0.tar"]), "source": GIT}
    for root in ("tool", "tool @ git+https://git.example/tool.git@main"):
        rows = planned([root], tool, entry("b"))["artifacts"]
        assert [(row["name"], row["kind"], row.get("source")) for row in rows] == [
            ("b", "wheel", None),
            ("tool", "sdist", GIT),
        ]


def test_a_commit_of_another_repository_is_an_error() -> None:
    tool = {**entry("tool", "1.0", files=["tool-1.0.tar"]), "source": GIT}
    assert failure(["tool @ git+https://git.example/fork.git"], tool) == (
        "tool is required from a URL, but is locked from https://git.example/tool.git\n"
        "  tool @ git+https://git.example/fork.git\n"
        "  tool (root from src/app:reqs)\n"
        "  -> lock again"
    )


def test_projects_of_the_repository_bring_their_requirements() -> None:
    lib = {**entry("lib", "0", "six", files=[]), "source": {"kind": "path", "url": "libs/lib"}}
    found = planned(["app"], entry("app", "1", "lib"), lib, entry("six"))
    assert [row["name"] for row in found["artifacts"]] == ["app", "six"]
    assert found["local"] == [
        {
            "name": "lib",
            "path": "libs/lib",
            "required_by": ["app requires lib (root from src/app:reqs)"],
        }
    ]


def test_a_fault_stops_who_reaches_it_alone() -> None:
    fault = LockError("comes from nowhere", where="x.lock: odd 1", hint="lock it elsewhere").to_json()
    odd = {**entry("odd", "1", files=[]), "fault": fault}
    assert versions(["a"], entry("a"), odd) == {"a": "1.0"}
    assert failure(["a"], entry("a", "1", "odd"), odd) == (
        "x.lock: odd 1: comes from nowhere\n  a requires odd (root from src/app:reqs)\n  -> lock it elsewhere"
    )


def test_versions_of_extras_that_conflict_are_chosen_by_the_requirements() -> None:
    lock = (
        entry("requests", "2", "idna ; (python_version >= '0')"),
        entry("idna", "3.4"),
        entry("idna", "3.20"),
    )
    assert versions(["requests", "idna<3.5"], *lock)["idna"] == "3.4"
    assert versions(["requests"], *lock)["idna"] == "3.20"
