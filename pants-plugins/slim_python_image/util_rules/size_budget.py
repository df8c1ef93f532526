"""How large an image is, whether it may be, and what grew since its sizes were written down."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any, Iterator, Mapping, Sequence

from pants.util.docutil import bin_name

from slim_python_image import engine
from slim_python_image.products import Layer, SlimImageError
from slim_python_image.sizes import mebibytes
from slim_python_image.util_rules.image import BuiltImage, PlatformImage
from slim_python_image.util_rules.partition import normalized

SCHEMA = "slim-python-image.sizes/1"
BASE, OWN = "the base", "first-party code"
"""What is no distribution; their names have spaces, those of distributions have none."""
_SHOWN = 5

Sizes = Mapping[str, int]
"""Bytes of files by distribution, and of :data:`BASE` and :data:`OWN`."""
Budgets = Sequence[tuple[str, str, int]]
"""As :meth:`SizeBudgetField.budgets` returns them."""


def sizes_of(image: PlatformImage) -> dict[str, int]:
    """Return what of an image takes how many bytes, unpacked.

    Of a registry's layers, nobody has looked into all: what counts then is the archive, or the blob.
    """
    found: dict[str, int] = {BASE: sum(map(_unpacked, image.layers[: image.base_layers]))}
    for layer in image.layers[image.base_layers :]:
        if _of_packages(layer):
            found[BASE] += layer.unpacked_size
            continue
        rest = layer.unpacked_size
        for content in layer.fields()["contents"]:
            if content["type"] == "wheel":
                name = normalized(content["name"])
                found[name] = found.get(name, 0) + content["unpacked_size"]
                rest -= content["unpacked_size"]
        found[OWN] = found.get(OWN, 0) + rest
    return {name: size for name, size in sorted(found.items()) if size}


def _of_packages(layer: Layer) -> bool:
    """Tell whether a layer is of Debian packages that an image adds to its base."""
    kinds = {one["type"] for one in layer.fields()["contents"]}
    names = {one["name"] for one in layer.fields()["contents"]}
    return bool(kinds) and kinds <= {"deb", "rootfs"} and "account" not in names


def _unpacked(layer: Layer) -> int:
    return layer.unpacked_size or (layer.size if layer.remote is not None else 0)


def matching(sizes: Sizes, pattern: str) -> dict[str, int]:
    """Return what a budget bounds."""
    if pattern == "*":
        return dict(sizes)
    return {
        name: size for name, size in sizes.items() if name not in (BASE, OWN) and fnmatchcase(name, pattern)
    }


def over_budget(sizes: Sizes, budgets: Budgets) -> Iterator[tuple[str, int, dict[str, int]]]:
    """Yield each budget that is too small: how it is written, its bytes, and what it bounds."""
    for written, pattern, most in budgets:
        found = matching(sizes, pattern)
        if sum(found.values()) > most:
            yield written, most, found


def growth(earlier: Sizes, current: Sizes) -> list[str]:
    """Return what is larger than it was, the most grown first."""
    grown = {name: size - earlier.get(name, 0) for name, size in current.items()}
    ordered = sorted((-more, name) for name, more in grown.items() if more > 0)
    return [f"{name} +{mebibytes(-less)}" + ("" if name in earlier else " (new)") for less, name in ordered]


def listed(texts: Sequence[str]) -> str:
    """Return the first of some texts, and how many more there are."""
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _largest(sizes: Sizes) -> list[str]:
    ordered = sorted((-size, name) for name, size in sizes.items())
    return [f"{name} {mebibytes(-less)}" for less, name in ordered]


def fault_lines(
    platform: str, sizes: Sizes, budgets: Budgets, recorded: Sizes | None, where: str
) -> list[str]:
    """Return what is too large on a platform, and why.

    :param recorded: the sizes that were written down, ``None`` where none were.
    :param where: the file in which they are.
    """
    lines = []
    for written, most, found in over_budget(sizes, budgets):
        size = sum(found.values())
        what = "the image has" if written == "*" else f"{written} has"
        lines.append(
            f"  {platform}: {what} {mebibytes(size)}, {mebibytes(size - most)} more than its budget of "
            f"{mebibytes(most)}"
        )
        if len(found) > 1:
            lines.append(f"    largest: {listed(_largest(found))}")
        if recorded is not None:
            grown = growth({name: n for name, n in recorded.items() if name in found}, found)
            lines.append(f"    grown since {where}: {listed(grown) if grown else 'nothing'}")
    return lines


def parse_recorded(data: bytes | None, where: str) -> dict[str, dict[str, Sizes]]:
    """Return the recorded sizes by image and platform.

    :param data: of the file, ``None`` where there is none.
    :raises SlimImageError: it is something else.
    """
    if data is None:
        return {}
    try:
        value: Any = json.loads(data)
        assert value["schema"] == SCHEMA
        return {
            str(image): {
                str(platform): {str(name): int(size) for name, size in sizes.items()}
                for platform, sizes in platforms.items()
            }
            for image, platforms in value["images"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
        raise SlimImageError(
            f"{where}: holds no sizes ({SCHEMA})\n"
            "  -> name another file with [slim-image].size_baseline, or remove it and run "
            f"`{bin_name()} slim-sizes --record ::` again"
        ) from None


def recorded_text(images: Mapping[str, Mapping[str, Sizes]]) -> bytes:
    """Return the file of recorded sizes."""
    return (json.dumps({"schema": SCHEMA, "images": images}, indent=2, sort_keys=True) + "\n").encode()


async def check_budget(image: BuiltImage, budgets: Budgets, baseline: str) -> None:
    """Check that an image is as small as it is meant to be.

    :param baseline: the file of recorded sizes, which is read when a budget is too small.
    :raises SlimImageError: naming each budget that is too small, what is largest, and what grew.
    """
    sizes = {one.platform: sizes_of(one) for one in image.platforms} if budgets else {}
    if not any(True for found in sizes.values() for _ in over_budget(found, budgets)):
        return
    recorded = parse_recorded(await engine.read_path(baseline), baseline).get(str(image.address), {})
    lines = [
        line
        for platform, found in sizes.items()
        for line in fault_lines(platform, found, budgets, recorded.get(platform), baseline)
    ]
    known = (
        ""
        if recorded
        else f"; `{bin_name()} slim-sizes --record ::` writes down what later errors compare with"
    )
    raise SlimImageError(
        f"{image.address}: it is larger than the field `size_budget` allows\n" + "\n".join(lines) + "\n"
        f"  -> leave out what is not needed (`exclude`, fewer requirements), or raise the budget{known}"
    )
