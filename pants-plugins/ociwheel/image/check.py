"""The check of a whole image: what no layer can know by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ociwheel.debian.policy import CERTIFICATE_BUNDLE
from ociwheel.errors import ErrorCollector, ImageError
from ociwheel.image.names import Contest, NameTree
from ociwheel.image.requires import check_requires
from ociwheel.image.start import (
    Image,
    check_function,
    check_module,
    check_script,
    interpreter_problem,
)
from ociwheel.layer.prefer import hint, ranks

FIRST_PARTY = "first-party code"
_ALTERNATIVES = "etc/alternatives/"


@dataclass(frozen=True)
class CheckRequest:
    """What an image is to be, apart from its files."""

    image: Image
    start: Mapping[str, str]
    """``module``, ``module`` and ``function``, or ``script``."""
    source: bytes | None
    """Text of the start's module, where it is first-party code."""
    workdir: str
    volumes: tuple[str, ...]
    prefer: tuple[str, ...]
    markers: Mapping[str, str] | None = None
    """The target's, where distributions are asked for what they require."""


def check(request: CheckRequest) -> dict[str, Any]:
    """Check an image.

    :returns: ``notes``, lines about what is no error.
    :raises ImageError: all that is wrong.
    """
    errors = ErrorCollector()
    image = request.image
    notes = _check_contests(image.tree, request.prefer, errors)
    if request.markers is not None:
        check_requires(image.tree.requires, request.markers, errors)
    try:
        _check_start(request)
    except ImageError as e:
        errors.add(e)
    for field, folders in (("workdir", (request.workdir,)), ("volumes", request.volumes)):
        for folder in folders:
            there = image.tree.find(folder)
            if there is not None and there.kind != "d":
                errors.add(
                    ImageError(
                        f"{folder} is a file of {there.origin or 'the base'}",
                        where=f"the field `{field}`",
                        hint="name a folder, or a place where the image has nothing: it is made",
                    )
                )
    errors.raise_if_any()
    return {"notes": [*notes, *_script_notes(image)]}


def _check_start(request: CheckRequest) -> None:
    start = request.start
    if start.get("script"):
        check_script(request.image, start["script"])
    elif start.get("function"):
        check_function(request.image, start["module"], start["function"], request.source)
    elif start.get("module"):
        check_module(request.image, start["module"])


def _check_contests(tree: NameTree, prefer: Sequence[str], errors: ErrorCollector) -> list[str]:
    """Check that nobody overwrites another in silence."""
    preferred = ranks(prefer)
    notes: list[str] = []
    pairs: dict[tuple[str, str], list[Contest]] = {}
    for contest in tree.contests:
        pairs.setdefault((contest.below, contest.above), []).append(contest)
    for (below, above), contests in sorted(pairs.items()):
        if any(c.path == CERTIFICATE_BUNDLE for c in contests) and above != FIRST_PARTY:
            # Whichever is chosen, the certificates of the other are missed by whoever needs them.
            errors.add(
                ImageError(
                    f"{below} and {above} both have certificates, and /{CERTIFICATE_BUNDLE} is one file, "
                    "made of those of one layer's packages",
                    hint=f"add {_name(above)} to `extra_packages` of the base, not of the image",
                )
            )
            continue
        first = min(c.path for c in contests)
        others = len(contests) - 1
        more = f" and {others} other{'s' * (others > 1)}" if others else ""
        what = f"{below} and {above} have different files for /{first}{more}"
        if _name(above) in preferred or above == FIRST_PARTY:
            notes.append(f"{what}: the image has that of {above}")
        elif _name(below) in preferred and any(c.path.startswith(_ALTERNATIVES) for c in contests):
            errors.add(
                ImageError(
                    f"{what}, and the preferred one lies in a layer of the base",
                    hint=f"add {_name(above)} to `extra_packages` of the base, where priorities choose, or "
                    "do without it",
                )
            )
        elif _name(below) in preferred:
            errors.add(
                ImageError(
                    f"{what}, and the preferred one lies in a layer of the image that this one extends",
                    hint="set `prefer` in that image, and let both distributions be its dependencies",
                )
            )
        else:
            errors.add(ImageError(what, hint=hint(_name(above))))
    return notes


def _name(origin: str) -> str:
    return canonicalize_name(origin.partition(" ")[0])


def _script_notes(image: Image) -> list[str]:
    folder = f"{image.prefix.strip('/')}/bin/"
    found = []
    for path in sorted(image.tree.shebangs):
        problem = interpreter_problem(image, path) if path.startswith(folder) else None
        if problem:
            found.append(problem.text)
    return found


def read_source(folder: Path | None, module: str) -> bytes | None:
    """Return the text of a module below a folder of first-party code, ``None`` when it is not there."""
    if folder is None or not module:
        return None
    path = folder / module.replace(".", "/")
    for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if candidate.is_file():
            return candidate.read_bytes()
    return None
