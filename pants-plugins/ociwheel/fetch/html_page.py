"""The anchors of an HTML page, in one pass over it.

The standard library's parser takes time by the square of a page that never closes a tag, which a server may
send. What is read here is what PEP 503 lets a page say: ``base``, ``meta`` and anchors.
Specification: WHATWG HTML, 13.2.5 "Tokenization"; a tag that is open at the end of the page is dropped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# Possessive: a tag that does not match is one without an end, and then nothing after it is a tag.
_ATTRIBUTE = r"""[^\s/>=][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)?+)?+"""
_TAG = re.compile(rf"<(/?)([A-Za-z][^\s/>]*+)((?:[\s/=]++|{_ATTRIBUTE})*+)>")
_OPEN = re.compile(r"<(?=[!?]|/?[A-Za-z])")
_PAIR = re.compile(r"""([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+))?+)?+""")
_RAW_TEXT = {
    name: re.compile(rf"</{name}[\s/>]", re.IGNORECASE) for name in ("script", "style", "title", "textarea")
}


@dataclass
class Anchor:
    """A link: its attributes by lower-case name, and its text."""

    attributes: Mapping[str, str]
    text: str = ""


@dataclass
class _Tag:
    """A tag of a page."""

    name: str
    closing: bool
    attributes: Mapping[str, str] = field(default_factory=dict)


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except (ValueError, OverflowError):
        return text  # a character of thousands of digits


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _PAIR.finditer(text):
        value = next((group for group in match.groups()[1:] if group is not None), "")
        # The second of two attributes of the same name is a parse error, and is dropped.
        found.setdefault(match[1].lower(), _unescaped(value))
    return found


def _tokens(page: str) -> Iterator[_Tag | str]:
    """Yield the tags, and the texts between them."""
    at = 0
    while opened := _OPEN.search(page, at):
        start = opened.start()
        if start > at:
            yield page[at:start]
        if page.startswith("<!--", start):
            end = page.find("-->", start + 2)
            at = end + 3 if end >= 0 else len(page)
        elif page[start + 1 : start + 2] in ("!", "?"):
            end = page.find(">", start)
            at = end + 1 if end >= 0 else len(page)
        else:
            match = _TAG.match(page, start)
            if match is None:
                return
            at = match.end()
            name = match[2].lower()
            closing = bool(match[1])
            yield _Tag(name, closing, {} if closing else _attributes(match[3]))
            if name in _RAW_TEXT and not closing:
                end_tag = _RAW_TEXT[name].search(page, at)
                at = end_tag.start() if end_tag else len(page)
    if at < len(page):
        yield page[at:]


@dataclass
class Page:
    """What a page says besides its anchors; complete when all anchors have been read."""

    base: str = ""
    """The first ``base``, where relative links start."""
    version: str | None = None
    """PEP 629's ``pypi:repository-version``."""

    def anchors(self, text: str) -> Iterator[Anchor]:
        """Yield the links of a page."""
        is_open: Anchor | None = None
        words: list[str] = []
        for token in _tokens(text):
            if isinstance(token, str):
                if is_open:
                    words.append(token)
                continue
            if token.name == "a":
                if is_open:
                    is_open.text = _unescaped("".join(words))
                    yield is_open
                    is_open = None
                if not token.closing and token.attributes.get("href"):
                    is_open, words = Anchor(token.attributes), []
            elif token.name == "base" and not self.base:
                self.base = token.attributes.get("href", "")
            elif token.name == "meta" and token.attributes.get("name") == "pypi:repository-version":
                self.version = token.attributes.get("content")
        if is_open:
            is_open.text = _unescaped("".join(words))
            yield is_open
