"""Inputs of text formats: well-formed ones with hostile values in the places of good ones."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Make = Callable[[random.Random], bytes]

HOSTILE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        2**31,
        2**63,
        2**64,
        10**59,
        -(10**59),
        1.5,
        1e300,
        "",
        " ",
        [],
        {},
        [[]],
        [None],
    ),
    *(
        "x" * 5000,
        "1" * 5000,
        "9" * 30,
        "1." * 400,
        "../../etc/passwd",
        "/etc/passwd",
        "a/../b",
        "a\0b",
        "..",
        ".",
    ),
    *(
        "\x1b[2J",
        "\u202e",
        "\u2028",
        "é",
        "a\nb: c",
        "\n\n",
        "@",
        "https://[::1",
        "http://h:99999999/",
        "file:///etc",
    ),
    *(
        "a==",
        "a ; (((",
        "a;" + "(" * 400,
        "==1",
        "sha256:",
        "sha256:" + "0" * 64,
        "0" * 64,
        "g" * 64,
        "a" * 300,
    ),
    *(
        {"a": "b"},
        ["a", "b"],
        [{}],
        {"": ""},
        ["\ud83d\ude00"],
        "%" * 50,
        "$HOME",
        "a[b,c]>=1,<2",
        "py3-none-any",
    ),
)


def hostile(rng: random.Random) -> Any:
    """Return one of the hostile values, a copy of its own."""
    return copy.deepcopy(rng.choice(HOSTILE))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container of a document with each of its keys or indexes."""
    found: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        item = todo.pop()
        keys = item.keys() if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        for key in keys:
            found.append((item, key))
            todo.append(item[key])
    return found


def changed(rng: random.Random, good: Any) -> Any:
    """Return a copy of a document with some of its values, or members, made hostile."""
    value = json.loads(json.dumps(good))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        found = places(value)
        if not found:
            break
        holder, key = rng.choice(found)
        match rng.randrange(5):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[str(rng.choice(("", "\x1b", "a" * 5000, "extra", "..")))] = hostile(rng)
            case 2 if isinstance(holder, list):
                text = json.dumps(holder[key])
                holder.extend(
                    json.loads(text) for _ in range(min(rng.choice((1, 50, 2000)), 200_000 // len(text)))
                )
            case _:
                holder[key] = hostile(rng)
    return value


def json_maker(good: Sequence[Any]) -> Make:
    """Return what makes JSON texts that are nearly those of ``good``."""

    def make(rng: random.Random) -> bytes:
        text = json.dumps(changed(rng, rng.choice(good)), ensure_ascii=rng.random() < 0.5)
        match rng.randrange(12):
            case 0:
                text = text.replace("1", "NaN", 1)
            case 1:
                text = text.replace(":", ":" + "[" * rng.choice((10, 5000, 100_000)), 1)
            case 2:
                text = text.replace('"', '"\\ud800', 2)
            case 3:
                text = text.replace("{", '{"a":1,"a":2,', 1)
        return text.encode(errors="surrogatepass")[: 1 << 20]

    return make


def line_maker(words: Sequence[str]) -> Make:
    """Return what makes texts out of words of a format, some of them many times."""

    def make(rng: random.Random) -> bytes:
        parts = []
        for _ in range(rng.choice((1, 4, 20, 200))):
            word = rng.choice(words) if rng.random() < 0.9 else str(rng.choice(HOSTILE))
            parts.append(word * rng.choice((1, 1, 1, 1, 2, 500)))
            if rng.random() < 0.001:
                parts.append(word * 20_000)
        return "".join(parts).encode(errors="replace")[: 1 << 20]

    return make
