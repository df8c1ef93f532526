"""Follows a maintainer script as a fresh installation would run it, without running anything.

What it would call is recorded, with words as far as they are known before. Where a condition is not known,
both ways are followed, and what they call is recorded as uncertain.
"""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ociwheel.debian import shell_tree
from ociwheel.debian.shell import ShellError, parse, parse_word
from ociwheel.debian.shell_tree import (
    AndOr,
    Case,
    For,
    Function,
    If,
    Node,
    Parameter,
    Pipeline,
    Redirected,
    Redirection,
    Simple,
    Substitution,
    Text,
    While,
    Word,
)

UNKNOWN = "\0"
"""Stands in a word for what is not known before a script runs."""
_MOST_STEPS = 20_000
_MOST_DEPTH = 40
_MOST_TEXT = 1 << 16
_MOST_MADE = 8 << 20
"""Characters of all words that a script is followed with, each word counted with what it takes besides."""
_A_WORD = 64
_MOST_TRIMMED = 1 << 11
"""Characters of a value, and of one that is cut to a pattern."""


class _LeaveError(Exception):
    """``exit``, ``return``, ``break`` or ``continue``."""

    def __init__(self, word: str, *, known: bool | None) -> None:
        super().__init__(word)
        self.word = word
        self.status = known


@dataclass(frozen=True)
class Call:
    """One command that a script would run.

    :param sure: it is run whatever is not known before.
    :param writes: files that its output goes to.
    """

    words: tuple[str, ...]
    sure: bool
    writes: tuple[str, ...] = ()


Answers = Callable[[Sequence[str]], bool | None]
"""What is known before of a command's exit status."""


@dataclass
class Follower:
    """Follows one script.

    :param answers: of commands that only ask.
    :param variables: what is set.
    :param questions: answers of debconf by name.
    """

    answers: Answers
    variables: dict[str, str]
    questions: dict[str, str] = field(default_factory=dict)
    called: Callable[[Call], None] = lambda _call: None
    """Is told of each call when it would be made."""
    calls: list[Call] = field(default_factory=list)
    arguments: tuple[str, ...] = ()
    _functions: dict[str, Node] = field(default_factory=dict)
    _sure: bool = True
    _steps: int = 0
    _depth: int = 0
    _made: int = 0

    def follow(self, script: str, arguments: Sequence[str]) -> tuple[Call, ...]:
        """Return what a script would call.

        :raises ShellError: it is none that can be read.
        """
        self.arguments = tuple(arguments)
        try:
            self._run(parse(script))
        except _LeaveError:
            pass
        except RecursionError as e:
            raise ShellError("it is nested too deeply") from e
        return tuple(self.calls)

    def _record(self, call: Call) -> None:
        self.calls.append(call)
        self.called(call)

    def _run(self, node: Node) -> bool | None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise ShellError(f"it has more than {_MOST_STEPS} steps")
        follow: Callable[..., bool | None] = self._by_kind[type(node)]
        return follow(node)

    @cached_property
    def _by_kind(self) -> Mapping[type, Callable[..., bool | None]]:
        return {
            Simple: self._simple,
            shell_tree.Sequence: self._sequence,
            Pipeline: self._pipeline,
            AndOr: self._and_or,
            If: lambda node: self._branches(list(node.branches), node.otherwise),
            Case: self._case,
            For: self._for,
            While: self._while,
            Function: self._define,
            Redirected: self._redirected,
        }

    def _sequence(self, node: shell_tree.Sequence) -> bool | None:
        status: bool | None = True
        for one in node.nodes:
            status = self._run(one)
        return status

    def _pipeline(self, node: Pipeline) -> bool | None:
        *firsts, last = node.nodes
        for one in firsts:
            self._apart(one)
        status = self._apart(last) if firsts else self._run(last)
        return _not(status) if node.negated else status

    def _while(self, node: While) -> None:
        self._apart(node.condition)
        self._unsurely([node.body])

    def _define(self, node: Function) -> bool:
        self._functions[node.name] = node.body
        return True

    def _redirected(self, node: Redirected) -> bool | None:
        files = self._files(node.redirections)
        if files:
            self._record(Call(("cat",), self._sure, files))
        return self._run(node.body)

    def _apart(self, node: Node) -> bool | None:
        """Follow what runs in a shell of its own."""
        saved = dict(self.variables)
        try:
            return self._run(node)
        except _LeaveError as e:
            return e.status
        finally:
            self.variables = saved

    def _unsurely(self, nodes: Iterable[Node]) -> None:
        """Follow ways of which one is taken, and it is not known which."""
        sure, before, ends = self._sure, dict(self.variables), []
        self._sure = False
        for node in nodes:
            self.variables = dict(before)
            with contextlib.suppress(_LeaveError):
                self._run(node)
            ends.append(self.variables)
        self._sure = sure
        names = {name for end in ends for name in end}
        self.variables = {
            name: before.get(name, "") if all(end.get(name) == before.get(name) for end in ends) else UNKNOWN
            for name in names
        }

    def _and_or(self, node: AndOr) -> bool | None:
        status = self._run(node.first)
        for operator, other in node.others:
            wanted = operator == "&&"
            if status is None:
                self._unsurely([other])
            elif status is wanted:
                status = self._run(other)
        return status

    def _branches(self, branches: list[tuple[Node, Node]], otherwise: Node | None) -> bool | None:
        if not branches:
            return True if otherwise is None else self._run(otherwise)
        (condition, body), rest = branches[0], branches[1:]
        status = self._run(condition)
        if status is True:
            return self._run(body)
        if status is False:
            return self._branches(rest, otherwise)
        self._unsurely([body, If(tuple(rest), otherwise)])
        return None

    def _case(self, node: Case) -> bool | None:
        value = self._text(node.word)
        unsure: list[Node] = []
        for patterns, body in node.branches:
            texts = [self._text(pattern) for pattern in patterns]
            if UNKNOWN in value or any(UNKNOWN in text for text in texts):
                if texts != ["*"] or not unsure:
                    unsure.append(body)
            elif any(fnmatch.fnmatchcase(value, text) for text in texts):
                if not unsure:
                    return self._run(body)
                unsure.append(body)
                break
        if unsure:
            self._unsurely(unsure)
        return None

    def _for(self, node: For) -> bool | None:
        words = self.arguments if node.words is None else self._fields(node.words)
        for word in words:
            self.variables[node.name] = word
            try:
                if UNKNOWN in word:
                    self._unsurely([node.body])
                else:
                    self._run(node.body)
            except _LeaveError as e:
                if e.word == "break":
                    break
                if e.word != "continue":
                    raise
        return True

    def _simple(self, node: Simple) -> bool | None:
        for name, word in node.assignments:
            value = self._text(word)
            if not node.words:
                self.variables[name] = value
        files = self._files(node.redirections)
        words = self._fields(node.words)
        if not words:
            if files:
                self._record(Call((":",), self._sure, files))
            # The status of an assignment is that of a command in it.
            return None if any(isinstance(p, Substitution) for _, w in node.assignments for p in w) else True
        return self._call(words, files)

    def _call(self, words: tuple[str, ...], files: tuple[str, ...]) -> bool | None:
        name, arguments = words[0], words[1:]
        if name in self._functions:
            return self._function(name, arguments)
        if name in {"exit", "return", "break", "continue"}:
            known = None if not arguments or UNKNOWN in arguments[0] else arguments[0] == "0"
            raise _LeaveError(name, known=True if not arguments else known)
        if name in {"export", "local", "readonly", "unset", "set", "shift", "read", "eval"}:
            return self._builtin(name, arguments)
        if name in {"db_get", "db_set"} and arguments:
            return self._question(name, *arguments)
        if name in {"command", "exec", "env", "nice", "ionice", "runuser"} and arguments:
            inner = arguments
            while inner and (inner[0].startswith("-") or "=" in inner[0]):
                if name == "command" and inner[0] in {"-v", "-V"}:
                    return self.answers(words)
                inner = inner[1:]
            return self._call(inner, files) if inner else True
        self._record(Call(words, self._sure, files))
        return self.answers(words)

    def _question(self, name: str, question: str, *value: str) -> bool:
        if name == "db_get":
            self.variables["RET"] = self.questions.get(question, "")
        else:  # as a configuration does where nobody is to be asked
            self.questions[question] = " ".join(value) if self._sure else UNKNOWN
        return True

    def _function(self, name: str, arguments: tuple[str, ...]) -> bool | None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ShellError(f"its function {name} calls itself too often")
        saved, self.arguments = self.arguments, arguments
        try:
            return self._run(self._functions[name])
        except _LeaveError as e:
            if e.word != "return":
                raise
            return e.status
        finally:
            self.arguments = saved
            self._depth -= 1

    def _builtin(self, name: str, arguments: tuple[str, ...]) -> bool | None:
        if name == "shift":
            self.arguments = self.arguments[1:]
        elif name == "set":
            if "--" in arguments:
                self.arguments = arguments[arguments.index("--") + 1 :]
        elif name == "eval":
            self._record(Call((name, *arguments), self._sure))
            return None
        else:
            for one in arguments:
                variable, equals, value = one.partition("=")
                if name == "read":
                    self.variables[variable] = UNKNOWN
                elif name == "unset":
                    self.variables.pop(variable, None)
                elif equals:
                    self.variables[variable] = value
        return None if name == "read" else True

    def _files(self, redirections: Iterable[Redirection]) -> tuple[str, ...]:
        found = [self._text(r.target) for r in redirections if r.operator in {">", ">>", ">|"}]
        return tuple(path for path in found if not path.startswith(("/dev/", "/proc/")))

    def _text(self, word: Word) -> str:
        """Return a word without dividing it."""
        text = "".join(self._part(part) for part in word)
        self._count(1, len(text))
        return text if len(text) <= _MOST_TEXT else UNKNOWN

    def _count(self, words: int, characters: int) -> None:
        """Bound what a script is followed with: ``set -- "$@" "$@"`` doubles it each time."""
        self._made += words * _A_WORD + characters
        if self._made > _MOST_MADE:
            raise ShellError(f"its words have more than {_MOST_MADE} characters together")

    def _part(self, part: Text | Parameter | Substitution) -> str:
        if isinstance(part, Text):
            return part.text
        if isinstance(part, Parameter):
            return self._parameter(part)
        return UNKNOWN if part.body is None else self._substituted(part.body)

    def _fields(self, words: Iterable[Word]) -> tuple[str, ...]:
        found: list[str] = []
        for word in words:
            if len(word) > 0 and any(isinstance(p, Parameter) and p.name == "@" for p in word):
                self._count(len(self.arguments), 0)
                found += self.arguments
                continue
            current: str | None = None
            for part in word:
                text = self._part(part)
                self._count(1, len(text))
                if isinstance(part, Text) or part.quoted:
                    current = (current or "") + text
                    continue
                pieces = text.split()
                self._count(len(pieces), 0)
                for number, piece in enumerate(pieces):
                    if (number or text[0].isspace()) and current is not None:
                        found.append(current)
                        current = None
                    current = (current or "") + piece
            if current is not None:
                found.append(current)
        return tuple(found)

    def _substituted(self, body: Node) -> str:
        """Return the output of ``$(...)``, where that is known."""
        count = len(self.calls)
        self._apart(body)
        made = self.calls[count:]
        if len(made) == 1 and not made[0].writes:
            words = made[0].words
            if words[0] == "echo" and len(words) > 1 and not words[1].startswith("-"):
                return " ".join(words[1:])
            if words == ("dpkg", "--print-architecture"):
                return self.variables.get("DPKG_MAINTSCRIPT_ARCH", UNKNOWN)
            if words[:2] == ("dpkg-divert", "--truename") and len(words) == 3:
                return words[2]  # no file of an image is diverted
        return UNKNOWN

    def _parameter(self, part: Parameter) -> str:
        name, rest = part.name, part.rest
        value = self._value(name)
        if not rest:
            return "" if value is None else value
        if rest == "#":
            return UNKNOWN if value is not None and UNKNOWN in value else str(len(value or ""))
        operator = rest[:2] if rest[:2] in {":-", ":=", ":+", ":?", "%%", "##"} else rest[:1]
        other = self._text(parse_word(rest[len(operator) :], quoted=part.quoted))
        lacking = value is None or (operator.startswith(":") and not value)
        match operator:
            case ":-" | "-" | ":=" | "=" | ":?" | "?":
                return other if lacking else value or ""
            case ":+" | "+":
                return "" if lacking else other
            case "%" | "%%" | "#" | "##":
                return _trimmed(value or "", operator, other)
        return UNKNOWN

    def _value(self, name: str) -> str | None:
        if name.isdigit() and name != "0":
            place = int(name) - 1
            return self.arguments[place] if place < len(self.arguments) else None
        match name:
            case "@" | "*":
                return " ".join(self.arguments)
            case "#":
                return str(len(self.arguments))
            case "?" | "$" | "!" | "0" | "-":
                return UNKNOWN
        return self.variables.get(name)


def _not(status: bool | None) -> bool | None:
    return None if status is None else not status


def _trimmed(value: str, operator: str, pattern: str) -> str:
    if UNKNOWN in value or UNKNOWN in pattern or len(value) > _MOST_TRIMMED:
        return UNKNOWN
    cuts = range(len(value) + 1)
    if operator in {"%", "##"}:
        cuts = cuts[::-1]
    for cut in cuts:
        left, right = value[:cut], value[cut:]
        if operator[0] == "%" and fnmatch.fnmatchcase(right, pattern):
            return left
        if operator[0] == "#" and fnmatch.fnmatchcase(left, pattern):
            return right
    return value
