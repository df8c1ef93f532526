"""The lock of a `debian_python_base`: compared with its target, and turned into values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Iterable, Iterator, Mapping, Sequence

from pants.engine.addresses import Address
from pants.engine.target import Target
from pants.util.frozendict import FrozenDict

from slim_python_image.base_target import (
    BaseAcceptScriptsField,
    BaseBuilderPackagesField,
    BaseComponentsField,
    BaseEmulationPackagesField,
    BaseExcludedPackagesField,
    BaseExtraPackagesField,
    BasePackagesField,
    BasePlatformsField,
    BasePythonField,
    BaseSuitesField,
)
from slim_python_image.bases import (
    BaseRequest,
    BuilderGroup,
    DebianBase,
    DebPackage,
    DebPackages,
    Interpreter,
    LayerGroup,
)
from slim_python_image.products import SlimImageError, TargetEnvironment
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.build_programs import taken_together
from slim_python_image.util_rules.debian_chunks import lots

LOCK_SCHEMA = "ociwheel.debian-lock/1"
_LOCKED_FIELDS = (
    *("suites", "components", "packages", "builder_packages", "excluded_packages"),
    "emulation_packages",
)


def lock_inputs(target: Target) -> dict[str, Any]:
    """Return the fields of a base that its lock was resolved from."""
    excluded = target[BaseExcludedPackagesField].value
    emulation = target[BaseEmulationPackagesField].value
    chosen = {} if excluded is None else {"excluded_packages": list(excluded)}
    chosen.update({"emulation_packages": list(emulation)} if emulation else {})
    named = (*(target[BasePackagesField].value or ()), *(target[BaseExtraPackagesField].value or ()))
    packages = list(dict.fromkeys(named))
    return {
        **chosen,
        "name": target.address.target_name,
        "suites": list(target[BaseSuitesField].value or ()),
        "components": list(target[BaseComponentsField].value or ()),
        "packages": packages,
        "builder_packages": list(target[BaseBuilderPackagesField].value or ()),
        "python": target[BasePythonField].value,
        "platforms": list(target[BasePlatformsField].value or ()),
    }


@dataclass(frozen=True)
class LockedBase:
    """A base's lock as it stands in the repository."""

    address: Address
    path: str
    lock: Mapping[str, Any]

    @property
    def resolve(self) -> str:
        """The name to relock with."""
        return self.address.target_name

    @cached_property
    def lots(self) -> Mapping[str, str]:
        """The lot of each package, by its key."""
        return lots(package_lists(self.lock))

    def error(self, what: str, hint: str) -> SlimImageError:
        """Return an error about this lock."""
        return SlimImageError(f"{self.path}: {what}\n  -> {hint}")

    def packages(self, keys: list[str]) -> tuple[DebPackage, ...]:
        """Return locked packages by their keys."""
        table = self.lock["packages"]
        return tuple(
            DebPackage(
                name=row["name"],
                version=row["version"],
                architecture=row["architecture"],
                archive=row["archive"],
                path=row["path"],
                size=row["size"],
                sha256=row["sha256"],
                lot=self.lots.get(key, ""),
            )
            for key, row in ((key, table[key]) for key in keys)
        )


def package_lists(lock: Mapping[str, Any]) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield who asks for which packages of a lock: what is asked for at one time has one name.

    A layer is one for all platforms here: packages for every architecture are in each of its lists.
    """
    for one in lock.get("platforms", {}).values():
        yield from ((f"layer {layer.get('title')}", layer["packages"]) for layer in one.get("layers", ()))
        yield from ((name, one.get(name, ())) for name in ("builder", "emulation"))
        yield from ((f"build {name}", keys) for name, keys in one.get("builder_groups", {}).items())
        yield from ((f"image {asked}", keys) for asked, keys in one.get("image_packages", {}).items())
    yield from (("interpreter", keys) for keys in lock.get("interpreters", {}).values())
    for programs in lock.get("tools", {}).values():
        for name, keys in programs.items():
            yield "programs" if taken_together(name) else f"program {name}", keys
    for compilers in lock.get("compilers", {}).values():
        yield from ((f"compiler {platform}", keys) for platform, keys in compilers.items())


def builder_groups(locked: LockedBase, platform: str) -> FrozenDict[str, BuilderGroup]:
    """Return the locked groups of a platform; a lock of before there were groups has none.

    Whether they are those of today's options is asked when one of their distributions is compiled: a
    group that is new makes no other build wait for a new lock.
    """
    wanted = locked.lock.get("inputs", {}).get("builder_groups", {})
    groups = locked.lock["platforms"][platform].get("builder_groups", {})
    return FrozenDict(
        {
            name: BuilderGroup(tuple(wanted.get(name, ())), locked.packages(keys))
            for name, keys in groups.items()
        }
    )


def build_programs(locked: LockedBase, host_name: str) -> FrozenDict[str, tuple[DebPackage, ...]]:
    """Return the programs for builds on this machine; a lock of before they were locked has none."""
    rows = locked.lock.get("tools", {}).get(host_name, {})
    return FrozenDict({name: locked.packages(keys) for name, keys in rows.items()})


def check_inputs(target: Target, locked: LockedBase) -> None:
    """Raise when a base's fields are not those its lock was resolved from."""
    written, wanted = dict(locked.lock.get("inputs", {})), lock_inputs(target)
    stale = [field for field in _LOCKED_FIELDS if written.get(field) != wanted.get(field)]
    if wanted["python"] is not None and wanted["python"] != locked.lock["python"]:
        stale.append("python")
    if set(wanted["platforms"]) - set(locked.lock["platforms"]):
        stale.append("platforms")
    if stale:
        raise locked.error(
            f"the lock is older than the fields {', '.join(f'`{f}`' for f in stale)} of {target.address}",
            f"write it again: {relock_command(locked.resolve)}",
        )


def accepted_scripts(target: Target, locked: LockedBase) -> tuple[str, ...]:
    """Return the field `accept_scripts` of a base.

    :raises SlimImageError: it names what the lock does not have.
    """
    accepted = target[BaseAcceptScriptsField].value or ()
    there = {row["name"] for row in locked.lock["packages"].values()}
    strange = [name for name in accepted if name not in there]
    if strange:
        raise locked.error(
            f"`accept_scripts` of {locked.address} names {', '.join(strange)}, which the base does not have",
            "take it out of that field",
        )
    return tuple(sorted(accepted))


def added_groups(
    locked: LockedBase, platform: str, wanted: Iterable[str], origin: str
) -> tuple[LayerGroup, ...]:
    """Return what images add to a base, a group for each that adds something.

    :param wanted: as :class:`BaseRequest` has them.
    :param origin: who asks.
    :raises SlimImageError: the lock does not have them.
    """
    rows = locked.lock["platforms"][platform].get("image_packages", {})
    found: list[LayerGroup] = []
    names: set[str] = set()
    there: set[DebPackage] = set()
    for asked in wanted:
        if asked not in rows:
            raise SlimImageError(
                f"{origin or locked.address}: the packages {asked} (the field `extra_packages`) are not in "
                f"{locked.path} for {platform}\n  -> lock them: {relock_command(locked.resolve)}"
            )
        own = tuple(one for one in locked.packages(rows[asked]) if one not in there)
        title = ", ".join(name for name in asked.split(", ") if name not in names)
        names.update(asked.split(", "))
        there.update(own)
        if own:
            found.append(LayerGroup(f"packages {title}", bytecode=False, packages=own))
    return tuple(found)


def runtime_packages(locked: LockedBase, platform: str) -> tuple[DebPackage, ...]:
    """Return the packages of a platform's layers; of a platform that the lock has not, none."""
    layers = locked.lock["platforms"].get(platform, {}).get("layers", ())
    return tuple(package for layer in layers for package in locked.packages(layer["packages"]))


def made_with(locked: LockedBase, runs: str, wanted: Sequence[str]) -> tuple[DebPackage, ...]:
    """Return all packages of a platform's images; none where some of them are not locked for it.

    :param wanted: as :class:`BaseRequest` has them.
    """
    runtime = runtime_packages(locked, runs)
    rows = locked.lock["platforms"].get(runs, {}).get("image_packages", {})
    if not runtime or any(asked not in rows for asked in wanted):
        return ()
    added = dict.fromkeys(key for asked in wanted for key in rows[asked])
    return (*runtime, *locked.packages(list(added)))


def debian_base(
    locked: LockedBase, request: BaseRequest, runs: str, accept_scripts: tuple[str, ...] = ()
) -> DebianBase:
    """Return one platform of a base.

    :param runs: the platform whose programs this machine runs.
    """
    platform = request.platform
    one = locked.lock["platforms"][platform]
    environment = TargetEnvironment.of(one["target"])
    return DebianBase(
        resolve=locked.resolve,
        target=environment,
        groups=tuple(
            LayerGroup(g["title"], g["bytecode"], locked.packages(g["packages"])) for g in one["layers"]
        ),
        builder=locked.packages(one["builder"]),
        interpreter=Interpreter(
            resolve=locked.resolve,
            target=replace(environment, platform=runs),
            source=DebPackages(locked.packages(locked.lock["interpreters"][runs]), locked.resolve),
        ),
        builder_groups=builder_groups(locked, platform),
        emulation=locked.packages(one.get("emulation", [])),
        programs=build_programs(locked, runs),
        gcc=locked.packages(locked.lock.get("compilers", {}).get(runs, {}).get(platform, [])),
        accept_scripts=accept_scripts,
        made_with=made_with(locked, runs, request.packages),
        added=added_groups(locked, platform, request.packages, request.origin),
    )
