from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pants_server as server
import pytest


class Resolver:
    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def _resolve_plugins(self, bootstrapper: Any, env: Any, request: Any) -> tuple[object, ...]:
        return ("resolved by", self._scheduler.scheduler, env, request)


def bootstrapper(*plugins: str) -> Any:
    options = SimpleNamespace(for_global_scope=lambda: SimpleNamespace(plugins=list(plugins)))
    return SimpleNamespace(bootstrap_options=options)


@pytest.fixture
def pants(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, list[object]]:
    """Give stand-ins for the two modules, changed, and what schedulers were made for."""
    made: list[object] = []

    def create(*args: object) -> Any:
        made.append(args)
        return SimpleNamespace(scheduler="scheduler")

    initializer = SimpleNamespace(create_bootstrap_scheduler=create)
    monkeypatch.setattr(Resolver, "_resolve_plugins", Resolver._resolve_plugins)
    resolver = SimpleNamespace(PluginResolver=Resolver, ResolvedPluginDistributions=tuple)
    server.load_plugins_lazily(initializer, resolver)
    return initializer, resolver, made


def test_without_plugins_no_scheduler_is_made(pants: tuple[Any, Any, list[object]]) -> None:
    initializer, resolver, made = pants
    one = resolver.PluginResolver(initializer.create_bootstrap_scheduler("options", "executor"))
    assert one._resolve_plugins(bootstrapper(), "env", "request") == ()
    assert made == []


def test_plugins_are_resolved_as_pants_does_it(pants: tuple[Any, Any, list[object]]) -> None:
    initializer, resolver, made = pants
    one = resolver.PluginResolver(initializer.create_bootstrap_scheduler("options", "executor"))
    for _ in range(2):
        found = one._resolve_plugins(bootstrapper("some.plugin==1"), "env", "request")
        assert found == ("resolved by", "scheduler", "env", "request")
    assert made == [("options", "executor")]
