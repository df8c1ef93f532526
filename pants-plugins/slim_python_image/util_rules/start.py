"""What an image starts: a module, a function, a file or a script, and the command line that runs it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Iterable

from pants.backend.python.dependency_inference.module_mapper import (
    PythonModuleOwnersRequest,
    map_module_to_address,
)
from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.addresses import Address
from pants.engine.target import Target

from slim_python_image import engine
from slim_python_image.by_name import implicitly
from slim_python_image.products import SlimImageError
from slim_python_image.start_fields import (
    EntryPointField,
    EntryPointsField,
    ExecutableField,
    ExtraEnvField,
    ImageResolveField,
    StartScriptField,
)
from slim_python_image.target_types import ScriptField

PREFIX = "/app"


@dataclass(frozen=True)
class Start:
    """What an image starts.

    :param entrypoint: its command line.
    :param scripts: console scripts that the image needs: names, and the module and function behind each.
    :param checked: what the core's check of the whole image looks for.
    :param first: the path in the repository of the file that is started before.
    """

    entrypoint: tuple[str, ...]
    scripts: tuple[tuple[str, str], ...]
    checked: tuple[tuple[str, str], ...]
    first: str | None = None


def resolve_of(given: str | None, address: Address, python_setup: PythonSetup) -> str | None:
    """Return the resolve that an image's field names, or the default one.

    :raises SlimImageError: it is none of `[python].resolves`.
    """
    if not python_setup.enable_resolves:
        return None
    if given is not None and given not in python_setup.resolves:
        known = ", ".join(sorted(python_setup.resolves))
        raise SlimImageError(
            f"{address}: the field `resolve` has {given!r}\n  -> name one of `[python].resolves`: {known}"
        )
    return given or python_setup.default_resolve


def module_candidates(path: str) -> tuple[str, ...]:
    """Return the modules that a file may be, by which of its folders is the source root: the shortest first.

    Pants takes `app.app` for a name in the module `app` where that is all there is, so longer ones come last.
    The module of a package's `__init__.py` is the package.
    """
    parts = path[: -len(".py")].split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts = parts[:-1]
    return tuple(".".join(parts[n:]) for n in reversed(range(len(parts))))


async def owners_of(module: str, resolve: str | None) -> tuple[Address, ...]:
    """Return the addresses that own a module."""
    owners = await map_module_to_address(PythonModuleOwnersRequest(module, resolve=resolve), **implicitly())
    return tuple(owners.unambiguous) or tuple(owners.ambiguous)


def _owns(address: Address, path: str) -> bool:
    if address.is_file_target:
        return address.filename == path
    return os.path.dirname(path) == address.spec_path


def beside(file: str, field: str, address: Address) -> str:
    """Return the path in the repository of a file that a field of a BUILD file names.

    :raises SlimImageError: it is outside of the repository.
    """
    path = os.path.normpath(os.path.join(address.spec_path, file))
    if path.partition("/")[0] == os.pardir:
        raise SlimImageError(
            f"{address}: the field `{field}` names the file {file}, which is outside of the repository\n"
            "  -> correct the path: it is that from the BUILD file"
        )
    return path


async def module_of(file: str, field: str, address: Address, resolve: str | None) -> str:
    """Return the module that a file beside a BUILD file is.

    :raises SlimImageError: the file is not there, or no target owns it.
    """
    path = beside(file, field, address)
    for module in module_candidates(path):
        if any(_owns(owner, path) for owner in await owners_of(module, resolve)):
            return module
    there = await engine.read_path(path) is not None
    of_resolve = f" of the resolve {resolve}" if resolve else ""
    what = f"and no `python_source`{of_resolve} owns {path}" if there else f"and there is no {path}"
    remedy = (
        "add a `python_sources` target for it"
        if there
        else "correct the path: it is that from the BUILD file"
    )
    raise SlimImageError(f"{address}: the field `{field}` names the file {file}, {what}\n  -> {remedy}")


async def resolved_entry_point(
    entry_point: str | None, executable: str | None, address: Address, resolve: str | None
) -> str | None:
    """Return the module, and perhaps function, that two fields name by module or by file."""
    field, value = ("executable", executable) if executable else ("entry_point", entry_point)
    if not value:
        return None
    name, colon, function = value.partition(":")
    if name.endswith(".py"):
        name = await module_of(name, field, address, resolve)
    return f"{name}{colon}{function}"


def _command(address: Address, entry_point: str | None, script: str | None) -> Start:
    if script:
        return Start((f"{PREFIX}/bin/{script}",), (), (("script", script),))
    module, _, function = (entry_point or "").partition(":")
    if function:
        name = address.target_name
        checked = (("module", module), ("function", function))
        return Start((f"{PREFIX}/bin/{name}",), ((name, f"{module}:{function}"),), checked)
    # -P keeps the working directory off sys.path: what runs is what was packaged.
    return Start((f"{PREFIX}/bin/python", "-P", "-m", module), (), (("module", module),))


async def start_of(target: Target, python_setup: PythonSetup) -> Start:
    """Return what an image starts.

    :raises SlimImageError: several or none of `entry_point`, `executable` and `script` are set.
    """
    address = target.address
    fields = (EntryPointField, ExecutableField, ScriptField)
    given = [field.alias for field in fields if target[field].value]
    if len(given) != 1:
        listed = " and ".join(f"`{name}`" for name in given)
        what = f"the fields {listed} are set together" if given else "no field says what the image starts"
        hint = "" if given else "; what a `pex_binary` among the dependencies starts is not taken from there"
        remedy = f"set one of `entry_point`, `executable` and `script`{hint}"
        raise SlimImageError(f"{address}: {what}\n  -> {remedy}")
    resolve = resolve_of(target[ImageResolveField].value, address, python_setup)
    entry_point = await resolved_entry_point(
        target[EntryPointField].value, target[ExecutableField].value, address, resolve
    )
    start = _command(address, entry_point, target[ScriptField].value)
    more = tuple(sorted((target[EntryPointsField].value or {}).items()))
    twice = [name for name, _ in more if name in dict(start.scripts)]
    if twice:
        raise SlimImageError(
            f"{address}: the field `entry_points` has {twice[0]!r}, the name of the image's own command\n"
            "  -> give one of them another name"
        )
    first = target[StartScriptField].value
    entrypoint = start.entrypoint
    if first:
        entrypoint = (f"{PREFIX}/bin/{first.rpartition('/')[2]}", *entrypoint)
        first = beside(first, StartScriptField.alias, address)
    return Start(entrypoint, (*start.scripts, *more), start.checked, first)


async def extra_environment(target: Target) -> dict[str, str]:
    """Return the variables of `extra_env_vars`.

    :raises SlimImageError: one without a value is not set where Pants runs.
    """
    texts: Iterable[str] = target[ExtraEnvField].value or ()
    asked = sorted(text for text in texts if "=" not in text)
    found = await engine.environment(asked) if asked else {}
    missing = [name for name in asked if name not in found]
    if missing:
        listed = ", ".join(missing)
        raise SlimImageError(
            f"{target.address}: the field `extra_env_vars` has {listed}, which the environment of Pants has "
            f"not\n  -> set it, or give a value: {missing[0]}=..."
        )
    given = dict(text.split("=", 1) for text in texts if "=" in text)
    return {**found, **given}
