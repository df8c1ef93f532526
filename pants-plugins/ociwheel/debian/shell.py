"""Reads shell scripts of maintainers into a tree. Nothing is ever run.

Grammar: POSIX.1-2017, volume 3, chapter 2, as far as Debian's maintainer scripts use it. What is not known
to this reader is an error, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ociwheel.debian.shell_tree import (
    AndOr,
    Case,
    For,
    Function,
    If,
    Node,
    Parameter,
    Part,
    Pipeline,
    Redirected,
    Redirection,
    Sequence,
    Simple,
    Substitution,
    Text,
    While,
    Word,
)

MOST_DEPTH = 60
_BLANK = " \t"
_OPERATORS = ("<<-", "&&", "||", ";;", "<<", ">>", ">|", "<&", ">&", "<>", ";", "&", "|", "(", ")", "<", ">")
_REDIRECTIONS = frozenset({"<<-", "<<", ">>", ">|", "<&", ">&", "<>", "<", ">"})
_RESERVED = frozenset(
    [
        *("!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then"),
        *("until", "while"),
    ]
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=")
_PARAMETER = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")


class ShellError(Exception):
    """A script is none that this reader understands."""


@dataclass(frozen=True)
class _Token:
    """What the reader takes at once."""

    kind: str
    """``word``, ``operator``, ``line`` or ``end``."""
    text: str
    """An operator, or a word's characters where it has nothing else and none is quoted."""
    word: Word = ()


def parse(script: str, depth: int = 0) -> Node:
    """Return the tree of a script.

    :raises ShellError: it is none, or too deep.
    """
    if depth > MOST_DEPTH:
        raise ShellError("it is nested too deeply")
    try:
        parser = _Parser(list(_Lexer(script, depth).tokens()), depth)
        node = parser.sequence(())
    except (IndexError, RecursionError) as e:
        raise ShellError("it ends too early, or is nested too deeply") from e
    if parser.ahead.kind != "end":
        raise ShellError(f"{parser.ahead.text!r} stands where no command ends")
    return node


def parse_word(text: str, *, quoted: bool, depth: int = 0) -> Word:
    """Return the word of an operator in ``${name:-word}``."""
    lexer = _Lexer(text, depth)
    parts: list[Part] = []
    while lexer.at < len(text):
        parts += lexer.part(quoted=quoted, stop="")
    return tuple(parts)


class _Lexer:
    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.at = 0
        self.depth = depth
        self.here: list[tuple[str, bool]] = []

    def tokens(self) -> Iterator[_Token]:
        wants_end = ""
        while True:
            self._skip()
            if self.at >= len(self.text):
                yield _Token("end", "")
                return
            if self.text[self.at] == "\n":
                self.at += 1
                self._skip_documents()
                yield _Token("line", "\n")
                continue
            operator = next((o for o in _OPERATORS if self.text.startswith(o, self.at)), None)
            if operator:
                self.at += len(operator)
                wants_end = operator if operator in {"<<", "<<-"} else ""
                yield _Token("operator", operator)
                continue
            word = self._word()
            plain = "".join(p.text for p in word if isinstance(p, Text))
            if wants_end:
                self.here.append((plain, wants_end == "<<-"))
                wants_end = ""
            simple = all(isinstance(p, Text) and not p.quoted for p in word)
            yield _Token("word", plain if simple else "", word)

    def _skip(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in _BLANK:
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def _skip_documents(self) -> None:
        for name, tabs in self.here:
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = end + 1
                if (line.lstrip("\t") if tabs else line) == name:
                    break
        self.here = []

    def _word(self) -> Word:
        parts: list[Part] = []
        while self.at < len(self.text) and self.text[self.at] not in " \t\n;&|<>()":
            parts += self.part(quoted=False, stop="")
        if not parts:
            raise ShellError(f"{self.text[self.at]!r} is not expected")
        return tuple(parts)

    def part(self, *, quoted: bool, stop: str) -> list[Part]:
        """Read the next piece of a word."""
        char = self.text[self.at]
        if char == "\\":
            return self._escaped(quoted=quoted)
        if char == "'" and not quoted:
            end = self._find("'", self.at + 1)
            inside = self.text[self.at + 1 : end]
            self.at = end + 1
            return [Text(inside, quoted=True)]
        if char == '"' and not stop:
            return self._double()
        if char in "$`":
            return [self._dollar(quoted=quoted) if char == "$" else self._backquoted(quoted=quoted)]
        self.at += 1
        return [Text(char, quoted)]

    def _escaped(self, *, quoted: bool) -> list[Part]:
        pair = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if pair == "\n":
            return []
        return [Text(pair if not quoted or pair in '$`"\\' else "\\" + pair, quoted=True)]

    def _double(self) -> list[Part]:
        self.at += 1
        parts: list[Part] = [Text("", quoted=True)]
        while self.text[self.at : self.at + 1] != '"':
            if self.at >= len(self.text):
                raise ShellError("a quotation has no end")
            parts += self.part(quoted=True, stop='"')
        self.at += 1
        return parts

    def _dollar(self, *, quoted: bool) -> Part:
        if self.text.startswith("$((", self.at):
            self.at = self._closing("(", ")") + 1
            return Substitution(None, quoted)
        if self.text.startswith("$(", self.at):
            end = self._closing("(", ")")
            body = parse(self.text[self.at + 2 : end], self.depth + 1)
            self.at = end + 1
            return Substitution(body, quoted)
        if self.text.startswith("${", self.at):
            end = self._closing("{", "}")
            inside = self.text[self.at + 2 : end]
            self.at = end + 1
            length = inside.startswith("#") and len(inside) > 1
            match = _PARAMETER.match(inside, 1 if length else 0)
            if match is None:
                raise ShellError(f"${{{inside}}} is no parameter")
            return Parameter(match[0], "#" if length else inside[match.end() :], quoted)
        match = _PARAMETER.match(self.text, self.at + 1)
        if match is None:
            self.at += 1
            return Text("$", quoted)
        name = match[0]
        self.at += 1 + len(name)
        return Parameter(name, "", quoted)

    def _backquoted(self, *, quoted: bool) -> Part:
        end = self.at + 1
        while self.text[end : end + 1] != "`":
            if end >= len(self.text):
                raise ShellError("a command substitution has no end")
            end += 2 if self.text[end] == "\\" else 1
        inside = re.sub(r"\\([$`\\])", r"\1", self.text[self.at + 1 : end])
        self.at = end + 1
        return Substitution(parse(inside, self.depth + 1), quoted)

    def _find(self, what: str, start: int) -> int:
        end = self.text.find(what, start)
        if end < 0:
            raise ShellError(f"{what} is missing")
        return end

    def _closing(self, opening: str, closing: str) -> int:
        """Return where the bracket ends that opens one character after the current one."""
        level, at, quoted = 0, self.at + 1, False
        while at < len(self.text):
            char = self.text[at]
            if char == "\\":
                at += 1
            elif char == '"':
                quoted = not quoted
            elif char == "'" and closing == ")" and not quoted:
                at = self._find("'", at + 1)
            elif char == "#" and closing == ")" and not quoted and self.text[at - 1] in " \t\n":
                at = self._find("\n", at)
            elif char == opening:
                level += 1
            elif char == closing:
                level -= 1
                if not level:
                    return at
            at += 1
        raise ShellError(f"{closing} is missing")


class _Parser:
    def __init__(self, tokens: list[_Token], depth: int) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = depth

    @property
    def ahead(self) -> _Token:
        return self.tokens[self.at]

    def _take(self) -> _Token:
        token = self.ahead
        self.at += token.kind != "end"
        return token

    def _is(self, *texts: str, kind: str = "") -> bool:
        return self.ahead.text in texts and self.ahead.kind == (
            kind or ("word" if texts[0] in _RESERVED else "operator")
        )

    def _expect(self, text: str) -> None:
        self._lines()
        if not self._is(text):
            raise ShellError(f"{text!r} is missing before {self.ahead.text!r}")
        self._take()

    def _lines(self) -> None:
        while self.ahead.kind == "line":
            self._take()

    def sequence(self, ends: tuple[str, ...]) -> Node:
        """Read commands up to a word or operator that ends them."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise ShellError("it is nested too deeply")
        nodes: list[Node] = []
        while True:
            while self.ahead.kind == "line" or self._is(";", "&"):
                self._take()
            if self.ahead.kind == "end" or any(self._is(end) for end in ends):
                self.depth -= 1
                return Sequence(tuple(nodes))
            nodes.append(self._and_or())

    def _and_or(self) -> Node:
        first, others = self._pipeline(), []
        while self._is("&&", "||"):
            operator = self._take().text
            self._lines()
            others.append((operator, self._pipeline()))
        return AndOr(first, tuple(others)) if others else first

    def _pipeline(self) -> Node:
        negated = self._is("!")
        if negated:
            self._take()
        nodes = [self._command()]
        while self._is("|"):
            self._take()
            self._lines()
            nodes.append(self._command())
        return Pipeline(tuple(nodes), negated) if negated or len(nodes) > 1 else nodes[0]

    def _command(self) -> Node:
        token = self.ahead
        compound = {"if": self._if, "case": self._case, "for": self._for, "{": self._braces}
        compound |= {"while": self._while, "until": self._while}
        node: Node | None = None
        if token.kind == "word" and token.text in compound:
            node = compound[token.text]()
        elif self._is("("):
            self._take()
            node = self.sequence((")",))
            self._expect(")")
        if token.kind == "word" and token.text in _RESERVED - compound.keys() - {"in", "!"}:
            raise ShellError(f"{token.text!r} stands where a command is expected")
        if node is None:
            return self._simple()
        found = self._redirections()
        return Redirected(node, found) if found else node

    def _redirections(self) -> tuple[Redirection, ...]:
        found = []
        while True:
            if self.ahead.kind == "word" and self.ahead.text.isdigit():
                if self.tokens[self.at + 1].text not in _REDIRECTIONS:
                    break
                self._take()
            if self.ahead.kind != "operator" or self.ahead.text not in _REDIRECTIONS:
                break
            operator = self._take().text
            found.append(Redirection(operator, self._take().word))
        return tuple(found)

    def _simple(self) -> Node:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        while True:
            redirections += self._redirections()
            token = self.ahead
            if token.kind != "word":
                break
            self._take()
            start = token.word[0]
            match = _assigned(token.word) if not words else None
            if match is not None:
                assignments.append(match)
                continue
            words.append(token.word)
            if len(words) == 1 and self._is("(") and isinstance(start, Text) and _NAME.match(token.text):
                return self._function(token.text)
        if not words and not assignments and not redirections:
            raise ShellError(f"{self.ahead.text!r} stands where a command is expected")
        return Simple(tuple(assignments), tuple(words), tuple(redirections))

    def _function(self, name: str) -> Node:
        self._expect("(")
        self._expect(")")
        self._lines()
        return Function(name, self._command())

    def _braces(self) -> Node:
        self._expect("{")
        node = self.sequence(("}",))
        self._expect("}")
        return node

    def _if(self) -> Node:
        branches = []
        otherwise = None
        self._take()
        while True:
            condition = self.sequence(("then",))
            self._expect("then")
            branches.append((condition, self.sequence(("elif", "else", "fi"))))
            word = self._take().text
            if word == "else":
                otherwise = self.sequence(("fi",))
                self._expect("fi")
            if word in {"else", "fi"}:
                return If(tuple(branches), otherwise)
            if word != "elif":
                raise ShellError("'fi' is missing")

    def _while(self) -> Node:
        self._take()
        condition = self.sequence(("do",))
        return While(condition, self._do())

    def _do(self) -> Node:
        self._expect("do")
        body = self.sequence(("done",))
        self._expect("done")
        return body

    def _for(self) -> Node:
        self._take()
        name = self._take().text
        words: list[Word] | None = None
        self._lines()
        if self._is("in"):
            self._take()
            words = []
            while self.ahead.kind == "word":
                words.append(self._take().word)
        if self._is(";"):
            self._take()
        return For(name, None if words is None else tuple(words), self._do())

    def _case(self) -> Node:
        self._take()
        word = self._take().word
        self._expect("in")
        branches = []
        self._lines()
        while not self._is("esac"):
            if self._is("("):
                self._take()
            patterns = [self._take().word]
            while self._is("|"):
                self._take()
                patterns.append(self._take().word)
            self._expect(")")
            branches.append((tuple(patterns), self.sequence((";;", "esac"))))
            if self._is(";;"):
                self._take()
            self._lines()
            if self.ahead.kind == "end":
                raise ShellError("'esac' is missing")
        self._take()
        return Case(word, tuple(branches))


def _assigned(word: Word) -> tuple[str, Word] | None:
    """Return name and value where a word is an assignment."""
    text = ""
    for number, part in enumerate(word):
        if not isinstance(part, Text) or part.quoted:
            return None
        text += part.text
        match = _ASSIGNMENT.fullmatch(text)
        if match:
            return match[1], word[number + 1 :]
        if part.text == "=":
            return None
    return None
