"""Rules, and calls of rules by their names: as `pants.engine.rules` has them since Pants 2.30, with types.

Every module of rules takes them from here. A call names the rule that serves it::

    wheel = await fetch_wheel(planned, **implicitly())

Pants reads these calls from the source, so there are limits to their form. Only leading positional
arguments and one ``**implicitly(...)`` are read. Helpers that are no rules are followed where they are
`async` and stand above, or in another module. A rule further below is known by its name if it is `async`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slim_python_image.versions import PANTS_217

if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable, Iterable, Protocol, TypeVar, overload

    from pants.engine.rules import collect_rules

    Result = TypeVar("Result")
    Made_co = TypeVar("Made_co", covariant=True)
    A = TypeVar("A")
    B = TypeVar("B")
    C = TypeVar("C")

    class NamedRule(Protocol[Made_co]):
        """A rule as those see it who call it."""

        rule: Any

        def __call__(self, *arguments: object, **implicit: object) -> Awaitable[Made_co]:
            """Ask for what the rule makes."""

    class Decorator(Protocol):
        """What makes a rule of a function."""

        def __call__(self, function: Callable[..., Awaitable[Result]], /) -> NamedRule[Result]: ...

    @overload
    def rule(function: Callable[..., Awaitable[Result]], /) -> NamedRule[Result]: ...
    @overload
    def rule(*, desc: str) -> Decorator: ...
    def rule(*_: object, **__: object) -> Any:
        """Make a rule of a function."""

    @overload
    def uncacheable_rule(function: Callable[..., Awaitable[Result]], /) -> NamedRule[Result]: ...
    @overload
    def uncacheable_rule(*, desc: str) -> Decorator: ...
    def uncacheable_rule(*_: object, **__: object) -> Any:
        """Make a rule that runs once per session, whatever it made before."""

    def goal_rule(function: Callable[..., Awaitable[Result]], /) -> NamedRule[Result]:
        """Make the rule of a goal."""

    def implicitly(*_: object) -> dict[str, Any]:
        """Return what a rule is called with beside its arguments: parameters in scope, and those given."""

    @overload
    def concurrently(calls: Iterable[Awaitable[Result]], /) -> Awaitable[tuple[Result, ...]]: ...
    @overload
    def concurrently(a: Awaitable[A], b: Awaitable[B], /) -> Awaitable[tuple[A, B]]: ...
    @overload
    def concurrently(a: Awaitable[A], b: Awaitable[B], c: Awaitable[C], /) -> Awaitable[tuple[A, B, C]]: ...
    def concurrently(*_: object) -> Any:
        """Ask for several things at once."""

elif PANTS_217:
    from pants.engine.rules import collect_rules

    from slim_python_image.pants217 import concurrently, goal_rule, implicitly, rule, uncacheable_rule
else:
    from pants.engine.rules import _uncacheable_rule as uncacheable_rule
    from pants.engine.rules import collect_rules, concurrently, goal_rule, implicitly, rule

__all__ = ["collect_rules", "concurrently", "goal_rule", "implicitly", "rule", "uncacheable_rule"]
