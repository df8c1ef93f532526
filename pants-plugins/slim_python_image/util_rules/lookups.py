"""Which lines of a lock one process looks up together, and what to do where it cannot: docs/decisions/032."""

from __future__ import annotations

from typing import Collection, Iterable, Mapping, Sequence

from slim_python_image.by_name import concurrently, implicitly
from slim_python_image.util_rules.chunks import chunks_of_names
from slim_python_image.util_rules.locks import DescribeRequest, Description, LockedLine, describe


def together(
    lines: Mapping[str, Iterable[LockedLine]], names: Collection[str]
) -> list[tuple[LockedLine, ...]]:
    """Return the lines that one process each looks up, so that those of some names are among them.

    Which lines may be together the whole lock decides, so that images which need different lines of it share
    what is looked up: a chunk of which half is needed is looked up as it is, of another each line by itself.
    So however many images there are, no line is looked up in more than two ways.

    :param lines: all of a lock's, by name.
    """
    found: list[tuple[LockedLine, ...]] = []
    for chunk in chunks_of_names(lines):
        wanted = [name for name in chunk if name in names]
        if len(wanted) > 1 and 2 * len(wanted) >= len(chunk):
            found.append(tuple(line for name in chunk for line in lines[name]))
        else:
            found += [(line,) for name in wanted for line in lines[name]]
    return found


async def look_up(asked: Sequence[tuple[LockedLine, ...]]) -> dict[LockedLine, Description | None]:
    """Return what is known of each line; ``None`` of one that has to be asked by itself."""
    answers = await concurrently(describe(DescribeRequest(lines), **implicitly()) for lines in asked)
    return dict(row for lines, answer in zip(asked, answers) for row in zip(lines, answer.found))


async def look_up_each(
    asked: Sequence[tuple[LockedLine, ...]],
) -> dict[tuple[str, str], Description]:
    """Return what is known of lines, by name and version; what a chunk does not tell is asked by itself."""
    told = await look_up(asked)
    alone = await look_up([(line,) for line, description in told.items() if description is None])
    return {line.key: one for line, one in {**told, **alone}.items() if one is not None}
