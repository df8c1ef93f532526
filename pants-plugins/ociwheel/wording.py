"""Text of others in messages of ours: without credentials, without what a terminal obeys, and cut.

Whoever writes a lock, a wheel or a mirror's answer chooses words that end up in messages. None of them may
hide a part of the message, repaint the terminal, or fill the screen.
"""

from __future__ import annotations

import re

MASK = "****"
LONGEST = 480
"""Characters of one line of a message."""
QUOTED = 80
"""Characters of a value that a message repeats."""
# A credential that a cut halves would no longer look like one, so more is searched than is shown.
_SEARCHED = 8 * LONGEST

# RFC 3986 3.2: the authority ends at the first "/", "?" or "#", and what stands before its last "@" is
# userinfo. The user part alone may be a token.
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
# The same without a scheme, as proxies and pip's settings allow. An image name with a digest looks alike.
_BARE_USERINFO = re.compile(
    r"(?<![^\s\"'`(\[{<=,])[^\s\"'`(\[{<=,/:@]+:(?!//)[^\s\"'`/]+@(?!sha(?:256|384|512):)(?=[A-Za-z0-9\[])"
)
_SECRET_PARAMETER = re.compile(
    r"([?&;](?:[a-z0-9_.~-]*(?:token|secret|passw|signature|credential|api_?-?key|access_?-?key|auth)[a-z0-9_.~-]*"
    r"|key|sig|pwd|jwt|code|password)=)[^&;#\s\"'<>]+",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(r"(\bauthorization[\"']?\s?[:=]\s?[\"']?(?:[a-z]+\s)?)[^\s\"',]+", re.IGNORECASE)
_SPACES = re.compile(r" {41,}")
_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")


def redact(text: str) -> str:
    """Return ``text`` with its credentials replaced by ``****``.

    Known are the userinfo of URLs, with or without a scheme and whatever the password holds, the
    parameters of a query that are named like secrets, and ``Authorization`` headers.
    """
    text = _USERINFO.sub(f"{MASK}@", text)
    if "@" in text:
        text = _BARE_USERINFO.sub(f"{MASK}@", text)
    if "=" in text:
        text = _SECRET_PARAMETER.sub(rf"\1{MASK}", text)
    return _AUTHORIZATION.sub(rf"\1{MASK}", text)


def escaped(text: str) -> str:
    r"""Return ``text`` with what does not print written as ``\x1b`` or ``\u202e``.

    That is what controls a terminal, changes the direction of writing, has no width, or is half a character.
    """
    text = _COLOURS.sub("", text).replace("\t", "    ")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, most: int) -> str:
    """Return at most ``most`` characters of ``text``, the last of them ``…`` where some are left out."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shown(text: str, most: int = LONGEST) -> str:
    """Return ``text`` as a line of a message may have it: redacted, escaped and cut."""
    return cut(_SPACES.sub(" … ", escaped(redact(text[:_SEARCHED]))), most)


def brief(text: str) -> str:
    """Return the start of a line of others, its white space made one space each."""
    return cut(" ".join(text[: 8 * QUOTED].split()), 2 * QUOTED)


def said_by(error: BaseException) -> str:
    """Return what a library says of a fault, as one short line."""
    return brief(str(error)) or type(error).__name__


def quoted(value: object) -> str:
    """Return a value of others as a message repeats it: a short text in quotes, or the kind of value."""
    if isinstance(value, str):
        return repr(cut(value, QUOTED))
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"
