"""What integration tests share: one copy of the plugin and one warm cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.repository import Caches, copy_plugin


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the plugin."""
    return copy_plugin(tmp_path_factory.mktemp("plugin") / "pants-plugins")


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Caches:
    """Give the cache that all tests fill and use, empty at the start of the run."""
    return Caches(tmp_path_factory.mktemp("caches"))
