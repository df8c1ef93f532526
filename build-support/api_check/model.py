"""What our sources use of Pants, and what a Pants has: values that both sides of the comparison share."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

Version = tuple[int, int]

_OPERATORS: dict[str, Callable[[Version, Version], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPPOSITES = {"<": ">=", "<=": ">", "==": "!=", "!=": "==", ">": "<=", ">=": "<"}


def minor_version(text: str) -> Version:
    """Return major and minor of a version of Pants.

    :raises ValueError: the text does not start with two numbers.
    """
    found = re.match(r"(\d+)\.(\d+)", text)
    if found is None:
        raise ValueError(f"{text!r} is no version of Pants")
    return int(found[1]), int(found[2])


@dataclass(frozen=True)
class Condition:
    """The versions of Pants that a branch of our sources is for."""

    comparison: str
    version: Version

    def opposite(self) -> Condition:
        """Return the condition of the other branch."""
        return Condition(_OPPOSITES[self.comparison], self.version)

    def holds(self, version: Version) -> bool:
        """Tell whether the branch runs on a version."""
        return _OPERATORS[self.comparison](version, self.version)


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file, by its path from the root of the repository or of the backend."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Call:
    """The arguments of a call.

    :param positional: the type of each, a dotted name; ``None`` where the sources do not tell it.
    :param keywords: the names of those passed by keyword.
    :param more: ``*arguments`` or ``**arguments`` pass others, which the sources do not tell.
    :param implicitly: the call ends with ``**implicitly(...)``.
    :param replaces: a call of `dataclasses.replace`: any fields, none required.
    """

    positional: tuple[str | None, ...] = ()
    keywords: tuple[str, ...] = ()
    more: bool = False
    implicitly: bool = False
    replaces: bool = False


@dataclass(frozen=True)
class Use:
    """A name that our sources or documents use.

    :param name: dotted, as it is imported (``pants.engine.process.Process``, with ``.argv`` for an attribute
        of an instance), or an option (``[python].resolves``).
    :param call: how it is called, ``None`` where it is only named.
    :param conditions: all that must hold for the version on which it is used.
    :param otherwise: what is imported in its place where this import fails; empty for something else than an
        import, ``None`` where an import must succeed.
    """

    name: str
    place: Place
    call: Call | None = None
    conditions: tuple[Condition, ...] = ()
    otherwise: str | None = None

    def applies(self, version: Version) -> bool:
        """Tell whether a version of Pants reaches the place."""
        return all(condition.holds(version) for condition in self.conditions)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a rule, a function or a constructor.

    :param kind: ``positional``, ``both``, ``keyword``, ``*`` or ``**``.
    :param type: the class of a rule's parameter, dotted.
    """

    name: str
    kind: str = "both"
    required: bool = True
    type: str | None = None


@dataclass(frozen=True)
class Fact:
    """What a name is.

    :param kind: ``rule``, ``class``, ``function``, ``module``, ``value``, ``attribute`` or ``option``.
    :param home: the dotted name under which it was defined, where that is another one.
    :param parameters: ``None`` where it was not called when we asked, `ANYTHING` where they cannot be told.
    :param bases: of a class that is an argument of a rule: its own bases, dotted.
    """

    kind: str
    home: str | None = None
    parameters: tuple[Parameter, ...] | None = None
    bases: tuple[str, ...] = ()


ANYTHING = (Parameter("arguments", "*", required=False), Parameter("more", "**", required=False))
CALLED = frozenset({"rule", "class", "function"})
