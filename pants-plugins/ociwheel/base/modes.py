"""Modes as chmod(1) takes them."""

from __future__ import annotations

import re

_OCTAL = re.compile(r"0?([0-7]{3,4})")
_CLAUSE = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)")
# Bits of reading, writing, executing; and what `s` and `t` set, by class.
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}
_SPECIAL = {"u": 0o4000, "g": 0o2000, "o": 0}
_STICKY = 0o1000


def changed(text: str, mode: int, *, folder: bool) -> int | None:
    """Return what a mode becomes, ``None`` where ``text`` is none that is known.

    A clause that names no class is of all: scripts of maintainers run with a umask of 022, which would leave
    out writing alone.

    :param text: ``0755``, or clauses such as ``u+s,go-w``.
    :param mode: of the file, as it is.
    :param folder: it is a folder: ``X`` then is ``x``.
    """
    octal = _OCTAL.fullmatch(text)
    if octal is not None:
        return int(octal[1], 8)
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None or (not match[1] and "w" in match[3]):
            return None
        mode = _clause(mode, *match.groups(), folder=folder)
    return mode


def _clause(mode: int, classes: str, operator: str, letters: str, *, folder: bool) -> int:
    named = "ugo" if not classes or "a" in classes else classes
    letters = letters.replace("X", "x" if folder or mode & 0o111 else "")
    bits = _STICKY if "t" in letters else 0
    of_classes = 0
    for one in named:
        of_classes |= 7 << _SHIFTS[one]
        bits |= sum(_BITS[letter] for letter in set(letters) & _BITS.keys()) << _SHIFTS[one]
        bits |= _SPECIAL[one] if "s" in letters else 0
    if operator == "+":
        return mode | bits
    return mode & ~bits if operator == "-" else (mode & ~of_classes) | bits
