"""From `docker_image` and `pex_binary` targets and a Dockerfile to an image target: text in, text out.

A Dockerfile is read as far as its last stage has a place among the fields of an image. What has none is told
beside the target, never left out in silence.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

PLACEHOLDER_BASE = "//3rdparty/debian:bookworm-py311"
# Fields that mean the same, by name here.
_FROM_PEX = ("entry_point", "script", "executable", "args", "env", "extra_env_vars", "resolve")
_FROM_DOCKER = ("repository", "registries", "image_tags", "skip_push")
_COMMON = ("description", "tags")
# What they have and an image needs not, or has otherwise.
_POINTLESS = frozenset(
    {
        *("name", "source", "dependencies", "instructions", "output_path", "context_root", "layout"),
        *(
            "execution_mode",
            "include_tools",
            "include_requirements",
            "include_sources",
            "shebang",
            "strip_pex_env",
        ),
        *(
            "emit_warnings",
            "resolve_local_platforms",
            "ignore_errors",
            "inherit_path",
            "venv_site_packages_copies",
        ),
        *(
            "venv_hermetic_scripts",
            "restartable",
            "run_in_sandbox",
            "check",
            "pull",
            "squash",
            "target_stage",
        ),
        *("interpreter_constraints", "platforms", "complete_platforms", "image_labels", "build_platform"),
    }
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"]+')
_FROM_STAGE = re.compile(r"(?:.*\s)?--from=(\S+).*")
# A PEX, or what its virtual environment starts it by.
_STARTS_PEX = re.compile(r"\.pex\b|/pex\b")
_VERSION_OF_PACKAGE = re.compile(r"[=/].*")
_ADVICE = {
    "COPY": "name files in `files_at`, or as `files` dependencies, which stand below `workdir`",
    "ADD": "name files in `files_at`, or as `files` dependencies, which stand below `workdir`",
    "ENTRYPOINT": "the entry point is that of the `pex_binary`; a script before it is `start_script`",
    "CMD": "arguments of the entry point are `args`",
    "SHELL": "an image runs no shell",
    "HEALTHCHECK": "`healthcheck` takes a list that no shell reads, of what the image has: Python, not curl",
    "ONBUILD": "it has no place",
}


@dataclass
class Stage:
    """The last stage of a Dockerfile, as fields of an image, and what has no place among them."""

    fields: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    """The PEX files that it copies, from other stages too."""

    def copy(self, files: Iterable[str]) -> None:
        """Note PEX files, each once."""
        self.copied += [one for one in files if one not in self.copied]


def logical_lines(text: str) -> list[str]:
    """Return a Dockerfile's instructions, continuations joined, comments left out."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(kept))
    return [" ".join(line.split()) for line in joined.splitlines() if line.strip()]


def _words(text: str) -> list[str]:
    if text.startswith("["):
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, list):
            return [str(one) for one in value]
    return [token.strip('"') for token in _TOKEN.findall(text)]


def _pairs(text: str) -> dict[str, str]:
    if "=" not in text.split(" ", 1)[0]:
        name, _, value = text.partition(" ")
        return {name: value}
    found = re.findall(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)', text)
    return {name: value.strip('"') for name, value in found}


def read_dockerfile(text: str) -> Stage:
    """Return what the last stage of a Dockerfile says.

    What it copies from a stage that a PEX was copied to is that PEX: its virtual environment.
    """
    stage = Stage()
    stages: dict[str, Stage] = {}
    count = 0
    for line in logical_lines(text):
        word, _, rest = line.partition(" ")
        origin = stages.get(_FROM_STAGE.sub(r"\1", rest)) if word.upper() == "COPY" else None
        if word.upper() == "FROM":
            stage = Stage(notes=[f"{line}: name a base with that Python"])
            image, *named = [one for one in rest.split() if not one.startswith("--")] or [""]
            stage.copy(stages[image].copied if image in stages else ())
            stages.update({str(count): stage, **({named[-1]: stage} if named else {})})
            count += 1
        elif origin and origin.copied:
            stage.copy(origin.copied)
        else:
            _read_instruction(stage, word.upper(), rest.strip(), line)
    return stage


def _read_instruction(stage: Stage, word: str, rest: str, line: str) -> None:
    fields = stage.fields
    if word == "EXPOSE":
        fields.setdefault("ports", []).extend(rest.split())
    elif word == "VOLUME":
        fields.setdefault("volumes", []).extend(_words(rest))
    elif word in ("ENV", "LABEL"):
        fields.setdefault("env" if word == "ENV" else "labels", {}).update(_pairs(rest))
        if "$" in rest:
            stage.notes.append(f"{line}: nothing puts the value of a variable in the place of its name")
    elif word in ("USER", "WORKDIR", "STOPSIGNAL"):
        fields[{"USER": "user", "WORKDIR": "workdir", "STOPSIGNAL": "stop_signal"}[word]] = rest
    elif word == "HEALTHCHECK" and "CMD [" in rest:
        options, _, command = rest.partition("CMD ")
        fields["healthcheck"] = _words(command)
        found = {k.replace("-", "_"): v for k, v in re.findall(r"--([a-z-]+)=(\S+)", options)}
        fields.update({"healthcheck_options": found} if found else {})
    elif word in ("COPY", "ADD", "ENTRYPOINT", "CMD") and _STARTS_PEX.search(rest):
        _read_pex(stage, word, rest, line)
    elif word == "RUN":
        stage.notes.append(f"{line}: {_run_advice(rest)}")
    elif word in ("ARG", "MAINTAINER") or word in _ADVICE:
        stage.notes.append(f"{line}: {_ADVICE.get(word, 'it has no place here')}")


def _run_advice(commands: str) -> str:
    """Return what takes the place of a `RUN` instruction."""
    packages: list[str] = []
    advice = []
    for command in re.split(r"&&|\|\||;", commands):
        words = [one for one in command.split() if not one.startswith("-")]
        if words[:1] == ["sudo"]:
            words = words[1:]
        if words[:2] in (["apt-get", "install"], ["apt", "install"]):
            packages += [_VERSION_OF_PACKAGE.sub("", one) for one in words[2:]]
        elif words and words[0].startswith(("pip", "python", "uv")) and {"install", "sync"} & set(words):
            advice.append("what is installed with pip or uv belongs into the lock")
    if packages:
        advice.append(f"`extra_packages={json_like(packages)}` of the image or of its base")
    return "; ".join(
        [*dict.fromkeys(advice), "what else it does has no place" if advice else "nothing is run"]
    )


def _read_pex(stage: Stage, word: str, rest: str, line: str) -> None:
    """Read an instruction that names a `pex_binary`, and tell what else it says."""
    words = [one for one in _words(rest) if not one.startswith("--")]
    if word in ("COPY", "ADD"):
        sources = words[:-1]
        stage.copy(one for one in sources if one.endswith(".pex"))
        if not all(one.endswith(".pex") for one in sources):
            stage.notes.append(f"{line}: {_ADVICE[word]}")
    elif not _words(rest)[-1].endswith((".pex", "/pex")):
        # The command is that of the pex_binary; what is given to it is not.
        stage.notes.append(f"{line}: {_ADVICE['CMD']}")


def default_output(folder: str, name: str) -> str:
    """Return the path below `dist` that a `pex_binary` has by default."""
    return f"{folder.replace('/', '.')}/{name}.pex" if folder else f"{name}.pex"


def rendered(name: str, fields: Mapping[str, Any], notes: list[str], heading: str) -> str:
    """Return an image target, with what is left to be done above it."""
    lines = [
        f"# {heading}",
        *(f"# - {note}" for note in notes),
        "slim_python_image(",
        f"    name={json.dumps(name)},",
    ]
    lines += [f"    {key}={json_like(value)}," for key, value in fields.items()]
    return "\n".join([*lines, ")", ""])


def json_like(value: Any) -> str:
    """Return a value as BUILD files have it."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(k))}: {json_like(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(json_like, value))}]"
    return json.dumps(str(value), ensure_ascii=False)


def _taken(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name)}


def _told(kind: str, fields: Mapping[str, Any], used: tuple[str, ...]) -> list[str]:
    names = sorted(
        name for name, value in fields.items() if value and name not in {*used, *_POINTLESS, *_COMMON}
    )
    return [f"`{name}` of the {kind} has no place here" for name in names]


def proposal(
    docker: Mapping[str, Any],
    pex: Mapping[str, Any],
    stage: Stage,
    heading: str,
    base: str = PLACEHOLDER_BASE,
) -> str:
    """Return the image target in the place of a `docker_image` and the `pex_binary` that it copies.

    :param docker: fields of the `docker_image` by name, as its BUILD file has them.
    :param pex: likewise those of the `pex_binary`; its name is its address.
    """
    start = _taken(pex, _FROM_PEX)
    if isinstance(start.get("extra_env_vars"), (list, tuple)):
        start["extra_env_vars"] = list(start["extra_env_vars"])
    fields: dict[str, Any] = {"dependencies": [pex["name"]], **start, "base": base}
    for key, value in stage.fields.items():
        both = isinstance(value, dict) and isinstance(fields.get(key), Mapping)
        fields[key] = {**fields[key], **value} if both else value
    fields.update(_taken(docker, _FROM_DOCKER))
    labels = {**fields.get("labels", {}), **(docker.get("image_labels") or {})}
    fields.update({"labels": labels} if labels else {})
    notes = [
        *stage.notes,
        *_told("pex_binary", pex, _FROM_PEX),
        *_told("docker_image", docker, _FROM_DOCKER),
    ]
    return rendered(f"{docker['name']}-slim", fields, notes, heading)
