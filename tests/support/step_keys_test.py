from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.step_keys import first_difference


def line(description: str, step: str, **changes: Any) -> str:
    document = {
        "arguments": ["/bin/sh", ".ociwheel/core/step.sh", step, "--output", "out"],
        "variables": {"OCIWHEEL_MACHINE": ".ociwheel/machine"},
        "named caches": {},
        "outputs": ["out"],
        "trees": {".ociwheel/core": "c1"},
        "inputs": {"target.json": "t1"},
        **changes,
    }
    return f"10:22:33.44 [DEBUG] Key of `{description}`: {json.dumps(document)}\n"


FIRST = line("Plan a", "plan") + "10:22:33.44 [INFO] other\n" + line("Layer b", "layer")


def test_equal_runs_differ_in_nothing_whatever_the_order() -> None:
    assert first_difference(FIRST, "".join(reversed(FIRST.splitlines(keepends=True)))) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"inputs": {"target.json": "t2"}}, "inputs target.json: t1 -> t2"),
        ({"inputs": {"target.json": "t1", "a": "x"}}, "inputs a: None -> x"),
        ({"variables": {}}, "variables OCIWHEEL_MACHINE: .ociwheel/machine -> None"),
        ({"trees": {".ociwheel/core": "c2"}}, "trees .ociwheel/core: c1 -> c2"),
    ],
)
def test_the_part_that_differs_is_named(changes: dict[str, Any], expected: str) -> None:
    other = (
        line("Plan a", "plan") + line("Layer b", "layer", **changes) + line("Plan z", "plan", outputs=["z"])
    )
    assert first_difference(FIRST, other) == f"Layer b\n  {expected}"


def test_a_step_that_the_other_run_has_not() -> None:
    assert first_difference(FIRST, line("Fetch", "fetch")) == "Fetch\n  the other run has no step `fetch`"


def test_a_run_without_keys_is_no_run_without_differences() -> None:
    with pytest.raises(AssertionError, match="logged no key"):
        first_difference(FIRST, "nothing")
