"""Rules of the backend without an engine: the functions behind their names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def function_of(rule: Any) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return the function that a rule was made from."""
    function = rule.rule.func
    assert callable(function)
    return function  # type: ignore[no-any-return] # Pants types it as any callable


def answer(rule: Any, *arguments: Any) -> Any:
    """Return what a rule makes that asks nobody else."""
    return asyncio.run(function_of(rule)(*arguments))
