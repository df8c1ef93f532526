"""What a shell script consists of, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """Plain characters of a word."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Parameter:
    """``$name`` or ``${name...}``.

    :param rest: what stands between the name and the brace: an operator and its word.
    """

    name: str
    rest: str
    quoted: bool


@dataclass(frozen=True)
class Substitution:
    """``$(...)``, or ``$((...))``, of which ``body`` is ``None``."""

    body: Node | None
    quoted: bool


Part = Text | Parameter | Substitution
Word = tuple[Part, ...]


@dataclass(frozen=True)
class Redirection:
    """``>file`` and the like."""

    operator: str
    target: Word


@dataclass(frozen=True)
class Simple:
    """One command with its assignments."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]


@dataclass(frozen=True)
class Sequence:
    """Commands after each other."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Pipeline:
    """``! a | b``."""

    nodes: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True)
class AndOr:
    """``a && b || c``."""

    first: Node
    others: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class If:
    """``if``, each ``elif`` and ``else``."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(frozen=True)
class Case:
    """``case`` with the patterns of each branch."""

    word: Word
    branches: tuple[tuple[tuple[Word, ...], Node], ...]


@dataclass(frozen=True)
class For:
    """``for``; without words, over the parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Node


@dataclass(frozen=True)
class While:
    """``while`` or ``until``."""

    condition: Node
    body: Node


@dataclass(frozen=True)
class Function:
    """The definition of a function."""

    name: str
    body: Node


@dataclass(frozen=True)
class Redirected:
    """A compound command with redirections."""

    body: Node
    redirections: tuple[Redirection, ...]


Node = Simple | Sequence | Pipeline | AndOr | If | Case | For | While | Function | Redirected
