"""How an explanation reads."""

from __future__ import annotations

import re
from typing import Iterable, Iterator, Sequence

from slim_python_image.goals.explain_report import Change, Explanation, PlatformChange
from slim_python_image.goals.explain_steps import Cause

_SHOWN = 20
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
# Their subject says it all: two hashes tell a person nothing.
_SILENT_VALUES = frozenset(
    (
        *(
            "build settings",
            "compiler",
            "file",
            "input",
            "interpreter",
            "layer order",
            "libc of the compiler",
        ),
        *("libraries", "plugin code", "source file", "sysroot", "target"),
    )
)


def short(text: str) -> str:
    """Return text with its hashes cut to the length that people compare."""
    return _HASH.sub(lambda found: found.group()[:12], text)


def cause_text(cause: Cause) -> str:
    """Return one line about a cause, without what caused it in turn."""
    what = f"{cause.kind} {cause.subject}".strip()
    if cause.kind == "unknown":
        return cause.subject
    if cause.kind == "not reproducible":
        return f"{cause.subject} gave different bytes from the same inputs: a bug of the step or of its tools"
    if cause.kind == "requirement":
        return f"{what} {'added' if cause.earlier is None else 'removed'}"
    if cause.earlier is None or cause.current is None:
        value = cause.current if cause.earlier is None else cause.earlier
        said = "" if cause.kind in _SILENT_VALUES or value is None else f" ({short(value)})"
        return f"{what} {'added' if cause.earlier is None else 'removed'}{said}"
    if cause.kind in _SILENT_VALUES:
        return f"{what} changed"
    return f"{what}: {short(cause.earlier)} -> {short(cause.current)}"


def _cause_lines(causes: Sequence[Cause], indent: str) -> Iterator[str]:
    for cause in causes[:_SHOWN]:
        yield indent + cause_text(cause)
        yield from _cause_lines(cause.because, indent + "  ")
    if len(causes) > _SHOWN:
        yield f"{indent}and {len(causes) - _SHOWN} more, which `--slim-explain-format=json` lists"


def _arrow(change: Change) -> str:
    if change.status in {"added", "removed"}:
        return f"{change.status} {short(change.current or change.earlier or '')}"
    if change.status == "same":
        return "the same"
    if change.status == "rebuilt":
        return "the same digest, though its inputs changed"
    return f"{short(change.earlier or '')} -> {short(change.current or '')}"


def _platform_lines(platform: PlatformChange) -> Iterator[str]:
    yield f"  {platform.change.name}: {_arrow(platform.change)}"
    yield from _cause_lines(platform.change.causes, "    ")
    for layer in platform.layers:
        if layer.status != "same":
            yield f"    layer `{layer.name}`: {_arrow(layer)}"
            yield from _cause_lines(layer.causes, "      ")
    same = sum(layer.status == "same" for layer in platform.layers)
    if platform.change.status == "changed" and same:
        yield f"    {same} {'layer is' if same == 1 else 'layers are'} the same"


def text_report(explanations: Iterable[Explanation]) -> str:
    """Return explanations for people."""
    lines = []
    for one in explanations:
        lines.append(f"{one.image.name}: {_arrow(one.image)}")
        lines += _cause_lines(one.image.causes, "  ")
        for platform in one.platforms:
            lines += _platform_lines(platform)
    return "\n".join(lines) + "\n"
