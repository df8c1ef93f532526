"""Why a step's output changed: two documents of what it was made from, compared part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

Document = Mapping[str, Any]

# Arguments that name places in the sandbox, or that follow from what is in it.
_SILENT = frozenset(
    (
        *("--debs", "--files", "--host-sysroot", "--output", "--python-minor", "--request", "--requirements"),
        *("--sdist", "--settings", "--sources", "--sysroot", "--target", "--title", "--tools", "--wheels"),
        *("--zig", "--zig-runtime"),
    )
)
_FIELDS = {
    "--bytecode": "bytecode",
    "--entry-script": "entry_point",
    "--exclude": "exclude",
    "--max-size": "max_layer_size",
    "--strip": "strip",
    "--workdir": "workdir",
}
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz")


@dataclass(frozen=True)
class Cause:
    """One reason.

    :param kind: what changed, such as `wheel` or `source file`.
    :param subject: which one.
    :param earlier: what it was; ``None`` where it was not there.
    :param current: what it is; ``None`` where it is not there.
    :param because: what changed it in turn.
    """

    kind: str
    subject: str
    earlier: str | None
    current: str | None
    because: tuple[Cause, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the cause for programs."""
        because = {"because": [cause.to_json() for cause in self.because]} if self.because else {}
        return {
            "kind": self.kind,
            "subject": self.subject,
            "earlier": self.earlier,
            "current": self.current,
            **because,
        }


def differences(
    kind: str, earlier: Mapping[str, str], current: Mapping[str, str], prefix: str = ""
) -> tuple[Cause, ...]:
    """Return what two tables have differently, by subject."""
    return tuple(
        Cause(kind, prefix + subject, earlier.get(subject), current.get(subject))
        for subject in sorted({*earlier, *current})
        if earlier.get(subject) != current.get(subject)
    )


def value_text(value: Any) -> str | None:
    """Return a field's value as text, ``None`` where it is not set."""
    if value is None or value in ([], {}):
        return None
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(value)


def field_differences(earlier: Document, current: Document) -> tuple[Cause, ...]:
    """Return the fields that differ: of a list what is in one only, of a table its keys."""
    causes: list[Cause] = []
    for name in sorted({*earlier, *current}):
        old, new = earlier.get(name), current.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            causes += differences("field", old, new, prefix=f"{name}.")
        else:
            causes.append(Cause("field", name, value_text(old), value_text(new)))
    return tuple(causes)


# --- files --------------------------------------------------------------------------------------------


def _deb(path: str) -> tuple[str, str]:
    """Return name and version of a package file: `name_version_architecture.deb`."""
    parts = path.rsplit("/", 1)[-1][: -len(".deb")].split("_")
    if len(parts) != 3:
        return path, ""
    return f"{parts[0]}:{parts[2]}", parts[1].replace("%3a", ":")


def _wheel(path: str) -> tuple[str, str]:
    name, _, rest = path.rsplit("/", 1)[-1].partition("-")
    return name.lower().replace("_", "-"), rest.split("-")[0]


def _sdist(path: str) -> tuple[str, str]:
    stem = next(path[: -len(end)] for end in _SDISTS if path.endswith(end))
    name, _, version = stem.rpartition("-")
    return name, version


def _classified(path: str) -> tuple[str, str, str]:
    """Return what a file of a sandbox is: kind, subject and version, empty where it has none."""
    if path.startswith("debs/") and path.endswith(".deb"):
        return ("package", *_deb(path))
    if path.startswith("wheels/") and path.endswith(".whl"):
        return ("wheel", *_wheel(path))
    if path.startswith("requirements/") and path.endswith(".whl"):
        return ("build requirement", *_wheel(path))
    if "/" not in path and path.endswith(_SDISTS):
        return ("sdist", *_sdist(path))
    for folder, kind in (("sources/", "source file"), ("files/", "file")):
        if path.startswith(folder):
            return (kind, path[len(folder) :], "")
    return {
        "settings.json": ("build settings", "[slim-image].builds", ""),
        "target.json": ("target", "the base's Python and libc", ""),
    }.get(path, ("input", path, ""))


@dataclass(frozen=True)
class _File:
    path: str
    version: str
    content: str

    def text(self, other: _File | None) -> str:
        """Return what tells it from another: the version, or else the content."""
        if not self.version:
            return self.content
        if other is None or other.version != self.version:
            return self.version
        name = self.path.rsplit("/", 1)[-1]
        return f"{name} sha256:{self.content}"


def _by_subject(files: Mapping[str, str]) -> dict[tuple[str, str], _File]:
    found = {}
    for path, content in files.items():
        kind, subject, version = _classified(path)
        found[kind, subject] = _File(path, version, content)
    return found


def _file_causes(earlier: Mapping[str, str], current: Mapping[str, str]) -> Iterable[Cause]:
    old, new = _by_subject(earlier), _by_subject(current)
    for kind, subject in sorted({*old, *new}):
        one, other = old.get((kind, subject)), new.get((kind, subject))
        if one == other:
            continue
        yield Cause(kind, subject, one.text(other) if one else None, other.text(one) if other else None)


# --- arguments ----------------------------------------------------------------------------------------


def _options(arguments: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name = argument
            found.setdefault(name, [])
        else:
            found.setdefault(name, []).append(argument)
    return found


def _argument_causes(earlier: Sequence[str], current: Sequence[str]) -> Iterable[Cause]:
    old, new = _options(earlier), _options(current)
    for name in sorted({*old, *new} - _SILENT):
        if old.get(name) != new.get(name):
            kind = "field" if name in _FIELDS else "option"
            yield Cause(kind, _FIELDS.get(name, name), value_text(old.get(name)), value_text(new.get(name)))


# --- the whole step -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """One build's knowledge of one platform: its part of the report, and all steps."""

    platform: Document
    steps: Mapping[str, Document]

    def step(self, key: str | None) -> Document | None:
        """Return what a step was made from."""
        return self.steps.get(key) if key else None

    def packages(self, name: str) -> Mapping[str, str]:
        """Return a table of packages of this platform."""
        found = self.platform.get(name, {})
        assert isinstance(found, dict)
        return found


def _context(earlier: Side, current: Side, name: str) -> tuple[Cause, ...]:
    return differences("package", earlier.packages(name), current.packages(name))


def _tool_causes(old: Document, new: Document, earlier: Side, current: Side) -> Iterable[Cause]:
    for part, subject in (
        ("code", f"of the step {new['step']}"),
        ("libraries", "of the steps"),
        ("interpreter", "that runs the step"),
    ):
        if old[part] != new[part]:
            because = _context(earlier, current, "interpreter_packages") if part == "interpreter" else ()
            kind = "plugin code" if part == "code" else part
            yield Cause(kind, subject, old[part], new[part], because)
    for name in sorted({*old["trees"], *new["trees"]}):
        if old["trees"].get(name) != new["trees"].get(name):
            because = _context(earlier, current, "builder_packages") if name == "sysroot" else ()
            kind = {"zig": "compiler", "zig-runtime": "libc of the compiler"}.get(name, name)
            yield Cause(kind, "", old["trees"].get(name), new["trees"].get(name), because)


def step_causes(earlier: tuple[Document, Side], current: tuple[Document, Side]) -> tuple[Cause, ...]:
    """Return why a step's output changed.

    Where nothing that it was made from differs, that is the cause: the step gives different outputs.
    """
    (old, before), (new, now) = earlier, current
    causes: list[Cause] = []
    for cause in _file_causes(old["files"], new["files"]):
        because: tuple[Cause, ...] = ()
        if cause.kind == "target":
            because = field_differences(before.platform.get("target", {}), now.platform.get("target", {}))
        elif cause.kind == "wheel" and cause.earlier and cause.current:
            because = wheel_causes(cause.subject, before, now)
        causes.append(Cause(cause.kind, cause.subject, cause.earlier, cause.current, because))
    causes += _argument_causes(old["arguments"], new["arguments"])
    causes += _tool_causes(old, new, before, now)
    if not causes and old == new:
        causes.append(Cause("not reproducible", f"the step {new['step']}", None, None))
    return tuple(causes)


def wheel_causes(name: str, earlier: Side, current: Side) -> tuple[Cause, ...]:
    """Return why a wheel that was built has changed; nothing for one that was fetched both times."""
    found = []
    for side in (earlier, current):
        for wheel in side.platform.get("wheels", ()):
            if wheel["name"].lower().replace("_", "-") == name:
                found.append((wheel, side))
                break
        else:
            return ()
    (old, _), (new, _) = found
    before, now = earlier.step(old.get("step")), current.step(new.get("step"))
    if before is None or now is None:
        if old.get("step") == new.get("step"):
            return ()
        was, now_is = ("built from its sdist" if step else "fetched as a wheel" for step in (before, now))
        return (Cause("origin of the wheel", name, was, now_is),)
    return step_causes((before, earlier), (now, current))
