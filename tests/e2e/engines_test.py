"""Two engines on one machine, as when two checkouts are tested at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import Engine

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_an_engine_that_stops_leaves_another_its_network(
    engine: Engine, archive: Callable[..., Path], tmp_path: Path
) -> None:
    other = Engine(tmp_path / "engine")
    other.start()
    other.stop()
    with engine.run(engine.load(archive("service"))) as container:
        assert container.wait_for_health()["name"] == "service"
