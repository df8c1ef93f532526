"""`pants slim-updates`: what is locked and has a newer version, or was taken back."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from typing import Iterable, Mapping

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.engine.addresses import Address
from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.target import Target, Targets
from pants.option.option_types import EnumOption
from pants.util.frozendict import FrozenDict
from pants.util.strutil import softwrap

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField, BaseSuitesField
from slim_python_image.by_name import collect_rules, concurrently, goal_rule, implicitly
from slim_python_image.goals.updates_report import (
    FailOn,
    Report,
    exit_code,
    json_report,
    text_report,
    without_security,
)
from slim_python_image.products import SlimImageError
from slim_python_image.registry_target import RegistryImageField
from slim_python_image.target_types import ExtendsField
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.build_pins import build_lock_path, build_resolve
from slim_python_image.util_rules.lock_lines import LockLines, LockLinesRequest, reached, read_lines
from slim_python_image.util_rules.lock_news import (
    DebianNewsRequest,
    ImageNewsRequest,
    News,
    YankedRequest,
    debian_news,
    image_news,
    locked_roots,
    yanked_news,
)
from slim_python_image.util_rules.locks import requirement_name
from slim_python_image.util_rules.registry_locks import image_names, parse_registry_lock
from slim_python_image.util_rules.subjects import Subject, SubjectAttempt, SubjectRequest, attempt_subject
from slim_python_image.wheel_set_target import WheelSetDependenciesField

logger = logging.getLogger(__name__)


class UpdatesFormat(Enum):
    """How the report reads."""

    TEXT = "text"
    JSON = "json"


class SlimUpdatesSubsystem(Outputting, GoalSubsystem):
    """Options of `slim-updates`."""

    name = "slim-updates"
    help = softwrap(
        """
        Say what is locked and has moved on: which Debian packages of a base have newer versions in its
        suites (security updates first), which tags of base images lead to other images now, and which
        locked distributions were yanked, or are on no index any more. Nothing is changed or built.

        Give it bases, images or wheel sets, or `::` for all of them. Of an image, its base and the lock of
        its resolve are asked about, and the lock of what its builds require.

        It asks mirrors, registries and indexes anew in each run. The exit code is 0 where nothing is to be
        done, 1 where something is (`--fail-on`), and 2 where something could not be asked; what could be is
        printed all the same.
        """
    )

    format = EnumOption(
        default=UpdatesFormat.TEXT, help="`text`: a line for each thing that moved on. `json`: for programs."
    )
    fail_on = EnumOption(
        default=FailOn.ANY,
        help=softwrap(
            """
            What makes the exit code 1: `any` finding; `security`: a security update of a Debian package, or
            a distribution that was yanked or is gone; `nothing`.
            """
        ),
    )


class SlimUpdates(Goal):
    """What has moved on."""

    subsystem_cls = SlimUpdatesSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@dataclass(frozen=True)
class Lockfile:
    """A lock of distributions, and who needs what of it.

    :param resolve: what `generate-lockfiles` knows it by.
    """

    path: str
    resolve: str
    subjects: tuple[Subject, ...]


def lockfiles(subjects: Iterable[Subject]) -> tuple[Lockfile, ...]:
    """Return the locks of images and wheel sets that have requirements."""
    found: dict[tuple[str, str], list[Subject]] = {}
    for one in subjects:
        if one.lockfile:
            found.setdefault((one.lockfile, one.resolve), []).append(one)
    return tuple(Lockfile(path, resolve, tuple(found[path, resolve])) for path, resolve in sorted(found))


def users(subjects: Iterable[Subject], lines: LockLines) -> dict[str, list[str]]:
    """Return who needs each distribution, by its name: of a lock that does not say so, all of them."""
    found: dict[str, list[str]] = {}
    for one in subjects:
        roots = {requirement_name(root.requirement) for root in one.roots}
        for name in reached(roots, lines.lines):
            found.setdefault(name, []).append(str(one.address))
    return found


async def _packages(target: Target) -> Report:
    news = await debian_news(DebianNewsRequest(target.address), **implicitly())
    suites = target[BaseSuitesField].value or ()
    return _report("packages", target, news, without_security(suites))


async def _images(target: Target, docker: DockerOptions) -> Report:
    try:
        names = image_names(target, docker.registries())
        lock = parse_registry_lock(target, await engine.read_path(target[BaseLockfileField].path))
    except SlimImageError as e:
        return _report("images", target, News(error=str(e)))
    request = ImageNewsRequest(target.address.target_name, FrozenDict(names), locked_roots(lock))
    return _report("images", target, await image_news(request, **implicitly()))


def _report(kind: str, target: Target, news: News, notes: tuple[str, ...] = ()) -> Report:
    remedy = f"lock it again: {relock_command(target.address.target_name)}"
    return Report(kind, str(target.address), news.list(), news.total, remedy, notes, news.error)


async def _distributions(lockfile: Lockfile) -> Report:
    news = await yanked_news(YankedRequest(lockfile.path), **implicitly())
    lines = LockLines(())
    if news.list():
        lines = await read_lines(LockLinesRequest(lockfile.path), **implicitly())
    everyone = sorted(str(one.address) for one in lockfile.subjects)
    by_name = users(lockfile.subjects, lines)
    rows = [
        {**row, "targets": everyone if lines.whole else sorted(by_name.get(row["name"], ()))}
        for row in news.list()
    ]
    remedy = f"ask for other versions, then lock again: {relock_command(lockfile.resolve)}"
    return Report("distributions", lockfile.path, rows, news.total, remedy, (), news.error)


async def _build_requirements(lockfile: Lockfile) -> Report | None:
    """Return the report of a build lock, None where there is none."""
    path = build_lock_path(lockfile.resolve, lockfile.path)
    if await engine.read_path(path) is None:
        return None
    news = await yanked_news(YankedRequest(path), **implicitly())
    rows = [{**row, "targets": [f"builds of {lockfile.resolve}"]} for row in news.list()]
    remedy = f"lock it again: {relock_command(build_resolve(lockfile.resolve))}"
    return Report("distributions", path, rows, news.total, remedy, (), news.error)


async def _chosen_bases(targets: Iterable[Target], subjects: Iterable[Subject]) -> tuple[Target, ...]:
    """Return the bases among targets, and those of images, each once."""
    found: Mapping[Address, Target] = {
        one.address: one
        for one in targets
        if one.has_field(BaseSuitesField) or one.has_field(RegistryImageField)
    }
    more = sorted({one.base for one in subjects} - set(found))
    read = [await engine.target(address, "the base of an image") for address in more]
    return tuple(sorted((*found.values(), *read), key=lambda target: target.address))


def _unread(addresses: Iterable[Address], attempts: Iterable[SubjectAttempt]) -> Iterable[Report]:
    """Yield what cannot be asked about, because a target cannot be read."""
    for address, attempt in zip(addresses, attempts):
        if attempt.error is not None:
            yield Report("distributions", str(address), (), 0, "", (), attempt.error)


@goal_rule
async def slim_updates(
    console: Console, subsystem: SlimUpdatesSubsystem, targets: Targets, docker: DockerOptions
) -> SlimUpdates:
    """Ask, and print."""
    asked = sorted(
        one.address
        for one in targets
        if one.has_field(ExtendsField) or one.has_field(WheelSetDependenciesField)
    )
    attempts = await concurrently(attempt_subject(SubjectRequest(one), **implicitly()) for one in asked)
    subjects = [one.subject for one in attempts if one.subject is not None]
    bases = await _chosen_bases(targets, subjects)
    if not asked and not bases:
        logger.warning("No base, image or wheel set is among the targets given. Use `::` for all of them.")
    reports = [
        await _packages(base) if base.has_field(BaseSuitesField) else await _images(base, docker)
        for base in bases
    ]
    for lockfile in lockfiles(subjects):
        reports.append(await _distributions(lockfile))
        builds = await _build_requirements(lockfile)
        reports += [builds] if builds else []
    reports += _unread(asked, attempts)
    as_json = subsystem.format is UpdatesFormat.JSON
    with subsystem.output(console) as write:
        write(json_report(reports) if as_json else text_report(reports))
    return SlimUpdates(exit_code=exit_code(reports, subsystem.fail_on))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
