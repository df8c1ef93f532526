"""What `bench/big_wheel` tells of the layers that a wheel is divided among."""

from __future__ import annotations

from typing import Any

from bench.load.big import divided
from tests.support.big_wheel import Measured


def measured(step: str, **document: Any) -> Measured:
    return Measured(step, 1.0, 1, 1, 1, document)


def test_layers_are_those_of_the_step_that_divides() -> None:
    layer = {"title": "big, part 1 of 2", "descriptor": {"size": 3}, "unpacked_size": 4}
    # The step `image` has a number of layers in its document, under the same name.
    steps = [measured("fetch"), measured("wheel-layers", layers=[layer]), measured("image", layers=1)]
    assert divided(steps) == [{"title": "big, part 1 of 2", "bytes": 3, "unpacked": 4}]
    assert divided([measured("wheel-layer", **layer)]) == []
