"""No step of the core holds a whole wheel in memory."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from ociwheel_testing.big_wheel import write_big_wheel

from tests.support.big_wheel import through_the_core

pytestmark = pytest.mark.slow

MIB = 1 << 20
# Each of the wheel's three large files, held whole, goes over it: the interpreter alone has 20 MiB.
CONTENT = 160 * MIB
LIMIT = 64 * MIB


def test_memory_does_not_grow_with_the_wheel(tmp_path: Path) -> None:
    wheel = write_big_wheel(tmp_path / "links", CONTENT)
    with zipfile.ZipFile(wheel) as archive:
        assert sum(member.file_size > LIMIT - 20 * MIB for member in archive.infolist()) == 3
    steps = {}
    for measured in through_the_core(wheel, tmp_path / "work"):
        steps[measured.step] = measured
        assert measured.peak < LIMIT, f"{measured.step} took {measured.peak / MIB:.0f} MiB"
    assert list(steps) == ["describe", "fetch", "wheel-layer", "audit", "image", "index", "archive"]
    # The wheel passes through the steps that need its bytes, and through no other.
    for name in ("describe", "fetch", "wheel-layer", "archive"):
        assert steps[name].read > CONTENT
    assert steps["describe"].written == 0, "a large file has a step of its own"
    for name in ("fetch", "wheel-layer", "archive"):
        assert CONTENT < steps[name].written < CONTENT + 2 * MIB, "more than one copy is left"
    for name in ("audit", "image", "index"):
        assert steps[name].read < 10_000
        assert steps[name].written < 10_000


def test_memory_does_not_grow_with_the_layers_that_a_wheel_is_divided_among(tmp_path: Path) -> None:
    bound = 48 * MIB
    wheel = write_big_wheel(tmp_path / "links", CONTENT, pieces=8)
    steps = iter(through_the_core(wheel, tmp_path / "work", bound))
    measured = next(one for one in steps if one.step == "wheel-layers")
    assert measured.peak < LIMIT, f"it took {measured.peak / MIB:.0f} MiB"
    assert CONTENT < measured.written < CONTENT + 2 * MIB
    layers = measured.document["layers"]
    assert len(layers) == 4
    assert all(one["descriptor"]["size"] <= bound for one in layers)
    assert sum(one["unpacked_size"] for one in layers) > CONTENT * 0.99
