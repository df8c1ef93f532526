"""`pants slim-sizes`: how large images are, by distribution, and what grew since that was written down."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Iterable, Iterator, Mapping

from pants.base.build_root import BuildRoot
from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.target import Targets
from pants.option.option_types import BoolOption
from pants.util.strutil import softwrap

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, goal_rule, implicitly
from slim_python_image.goals.package_image import images_among
from slim_python_image.sizes import mebibytes
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.image import BuiltImage, BuiltImageRequest, build_image
from slim_python_image.util_rules.size_budget import (
    Budgets,
    Sizes,
    matching,
    parse_recorded,
    recorded_text,
    sizes_of,
)

logger = logging.getLogger(__name__)


class SlimSizesSubsystem(Outputting, GoalSubsystem):
    """Options of `slim-sizes`."""

    name = "slim-sizes"
    help = softwrap(
        """
        Print how many bytes the images given have, unpacked, by platform and distribution, the largest first,
        with their budgets (`size_budget`), and what they had when `--record` last wrote that down.

        It builds the images; what the cache has is not built again.
        """
    )

    record = BoolOption(
        default=False,
        help=softwrap(
            """
            Write the sizes of the images given to the file that `[slim-image].size_baseline` names; what it
            has of other images stays. Commit it: errors about budgets then say what grew.
            """
        ),
    )


class SlimSizes(Goal):
    """Sizes of images."""

    subsystem_cls = SlimSizesSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


def size_lines(image: BuiltImage, budgets: Budgets, recorded: Mapping[str, Sizes]) -> Iterator[str]:
    """Yield how large an image is, a line for each thing in it.

    :param recorded: what was written down, by platform.
    """
    yield str(image.address)
    for one in image.platforms:
        sizes, earlier = sizes_of(one), recorded.get(one.platform)
        total = sum(sizes.values())
        yield f"  {one.platform}: {mebibytes(total)}{_change(total, earlier and sum(earlier.values()))}"
        for written, pattern, most in budgets:
            has = sum(matching(sizes, pattern).values())
            yield f"    budget {written}: {mebibytes(has)} of {mebibytes(most)}"
        for name, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
            yield f"    {mebibytes(size):>12}  {name}{_change(size, earlier and earlier.get(name, 0))}"
        for name in sorted(set(earlier or {}) - set(sizes)):
            yield f"    {mebibytes(0):>12}  {name} (gone, it had {mebibytes((earlier or {})[name])})"


def _change(size: int, earlier: object) -> str:
    if not isinstance(earlier, int) or size == earlier:
        return ""
    return f" ({'+' if size > earlier else '-'}{mebibytes(abs(size - earlier))})"


@goal_rule
async def slim_sizes(
    console: Console,
    subsystem: SlimSizesSubsystem,
    targets: Targets,
    build_root: BuildRoot,
    options: SlimImageOptions,
) -> SlimSizes:
    """Build, print, and write down."""
    fields = images_among(targets)
    if not fields:
        return SlimSizes(exit_code=0)
    path = options.size_baseline
    # Before anything is built: a file that cannot be read shows at once.
    recorded = parse_recorded(await engine.read_path(path), path)
    built = await concurrently(build_image(BuiltImageRequest(one.address), **implicitly()) for one in fields)
    lines = [
        line
        for image, one in zip(built, fields)
        for line in size_lines(image, one.size_budget.budgets, recorded.get(str(image.address), {}))
    ]
    with subsystem.output(console) as write:
        write("\n".join(lines) + "\n")
    if subsystem.record:
        now = {
            str(image.address): {one.platform: sizes_of(one) for one in image.platforms} for image in built
        }
        file = Path(build_root.path) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(recorded_text({**recorded, **now}))
        logger.info("Wrote the sizes of %d image(s) to %s.", len(now), path)
    return SlimSizes(exit_code=0)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
