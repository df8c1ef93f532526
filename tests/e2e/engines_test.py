"""Two engines on one machine, as when two checkouts are tested at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import LONGEST_SOCKET, Engine, EngineError

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_an_engine_that_stops_leaves_another_its_network(
    engine: Engine, archive: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Engine(tmp_path_factory.mktemp("other"))
    other.start()
    other.stop()
    with engine.run(engine.load(archive("service"))) as container:
        assert container.wait_for_health()["name"] == "service"


def test_a_folder_whose_sockets_no_program_could_open(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"at most {LONGEST_SOCKET} bytes"):
        Engine(tmp_path / ("long" * 20)).start()
