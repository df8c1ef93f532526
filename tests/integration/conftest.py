"""What integration tests share: one copy of the plugin and one warm cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.repository import Caches, copy_plugin
from tests.support.pusher import Pusher
from tests.support.registry_server import USERS, Registry, running_registry


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the plugin."""
    return copy_plugin(tmp_path_factory.mktemp("plugin") / "pants-plugins")


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Caches:
    """Give the cache that all tests fill and use, empty at the start of the run."""
    return Caches(tmp_path_factory.mktemp("caches"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry; each test takes repositories of its own."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry that wants a login."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "users").write_text(USERS)
    with running_registry(folder, users=folder / "users") as running:
        yield running


@pytest.fixture
def push(tmp_path: Path) -> Pusher:
    """Give the step with an empty home."""
    (tmp_path / "home").mkdir()
    return Pusher(tmp_path / "home")
