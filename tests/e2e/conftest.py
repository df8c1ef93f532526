"""One engine for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engine import Engine, missing_tools


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Give a running Docker engine of this run's own."""
    missing = missing_tools()
    if missing:
        pytest.skip(f"an engine needs {', '.join(missing)}: apt-get install docker.io, as root")
    engine = Engine(tmp_path_factory.mktemp("engine"))
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()
