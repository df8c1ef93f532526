"""From a request to config and manifest of one platform: pure functions.

Specification: OCI image-spec 1.1, config.md and manifest.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ociwheel.digest import Digest
from ociwheel.errors import ErrorCollector, ImageError
from ociwheel.image.layout import LAYER_TYPES, MANIFEST, Descriptor, string_map
from ociwheel.image.users import owner
from ociwheel.platforms import Platform, platform

# overlay2, Docker's storage, refuses more.
MOST_LAYERS = 127
# A line of `docker history --no-trunc` that still fits a screen.
_COMMENT_NAMES = 12
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp|sctp))?")
_SIGNAL = re.compile(r"SIG[A-Z0-9]+([+-]\d+)?|\d{1,2}")
_LAST_PORT = 65_535
_HEALTH = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "retries": "Retries",
}
"""The numbers of a health check, as Docker's image configuration names them."""


@dataclass(frozen=True)
class Layer:
    """What an image needs to know of one layer."""

    descriptor: Descriptor
    diff_id: str
    title: str
    comment: str
    empty: bool


@dataclass(frozen=True)
class ImageRequest:
    """A checked request of the ``image`` step."""

    platform: Platform
    layers: tuple[Layer, ...]
    config: Mapping[str, Any]
    """The ``config`` object of the image configuration."""
    created: str
    annotations: Mapping[str, str]


def parse_request(request: Mapping[str, Any]) -> ImageRequest:
    """Check a request.

    :raises ImageError: all that is wrong with it.
    :raises UsageError: an unknown platform.
    """
    target = platform(str(request.get("platform")))
    errors = ErrorCollector()

    def attempt(function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except ImageError as e:
            errors.add(e)
            return None

    layers = attempt(_layers, request.get("layers"))
    config = attempt(_config, request.get("config") or {})
    created = attempt(_timestamp, request.get("created", 0))
    annotations = attempt(string_map, request.get("annotations"), "annotations")
    errors.raise_if_any()
    return ImageRequest(target, layers, config, created, annotations)


def image_config(request: ImageRequest) -> dict[str, Any]:
    """Return the image configuration."""
    return {
        "created": request.created,
        **request.platform.oci_dict(),
        "config": dict(request.config),
        # config.md: diff_ids "in order from first to last".
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in request.layers]},
        "history": [
            {"created": request.created, "created_by": layer.title, "comment": layer.comment}
            for layer in request.layers
        ],
    }


def image_manifest(request: ImageRequest, config: Descriptor) -> dict[str, Any]:
    """Return the manifest of an image with the given configuration."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.to_json(),
        "layers": [layer.descriptor.to_json() for layer in request.layers],
    }
    if request.annotations:
        value["annotations"] = dict(request.annotations)
    return value


def _layers(value: object) -> tuple[Layer, ...]:
    if not isinstance(value, list) or not value:
        raise ImageError("an image needs a list of at least one layer document", where="layers")
    if len(value) > MOST_LAYERS:
        raise ImageError(
            f"{len(value)} layers are more than the {MOST_LAYERS} that Docker can mount",
            where="layers",
            hint="let wheels share layers",
        )
    layers = tuple(_layer(item, f"layers[{number}]") for number, item in enumerate(value))
    first: dict[str, int] = {}
    for number, layer in enumerate(layers):
        other = first.setdefault(layer.diff_id, number)
        # Registry images do repeat Docker's empty layer; anything else is a mistake of the caller.
        if other != number and not layer.empty:
            raise ImageError(f"repeats layers[{other}]: {layer.title}", where=f"layers[{number}]")
    return layers


def _layer(value: object, where: str) -> Layer:
    if not isinstance(value, dict):
        raise ImageError(f"expected a layer document, found {value!r}", where=where)
    found = Descriptor.parse(value.get("descriptor"), f"{where}.descriptor")
    media_type = LAYER_TYPES.get(found.media_type)
    if media_type is None:
        raise ImageError(f"{found.media_type!r} is not a layer's media type", where=f"{where}.descriptor")
    diff_id = value.get("diff_id")
    if not isinstance(diff_id, str) or not Digest.fits(diff_id):
        raise ImageError(f"expected a digest, found {diff_id!r}", where=f"{where}.diff_id")
    descriptor = Descriptor(media_type, found.digest, found.size, None, found.annotations)
    return Layer(
        descriptor,
        diff_id,
        str(value.get("title", "")),
        _comment(value.get("contents") or []),
        empty=not value.get("unpacked_size"),
    )


def _comment(contents: Sequence[Mapping[str, str]]) -> str:
    names = [f"{c['name']} {c['version']}".strip() for c in contents]
    more = len(names) - _COMMENT_NAMES
    return ", ".join(names[:_COMMENT_NAMES]) + (f" and {more} more" if more > 0 else "")


def _timestamp(seconds: object) -> str:
    if not isinstance(seconds, int):
        raise ImageError(f"expected seconds since 1970, found {seconds!r}", where="created")
    try:
        # config.md: "formatted as defined by RFC 3339, section 5.6".
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    except (OverflowError, ValueError, OSError) as e:
        raise ImageError(f"expected seconds since 1970, found {seconds!r}", where="created") from e


def _config(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config object: only what was asked for, so that empty values change no digest."""
    known = {
        "entrypoint", "cmd", "env", "user", "workdir", "exposed_ports", "volumes", "labels", "stop_signal",
        "healthcheck",
    }  # fmt: skip
    if unknown := sorted(set(value) - known):
        raise ImageError(f"unknown keys: {', '.join(unknown)}", where="config")
    fields = {
        "Entrypoint": _strings(value.get("entrypoint"), "config.entrypoint"),
        "Cmd": _strings(value.get("cmd"), "config.cmd"),
        "Env": _env(value.get("env")),
        "User": owner(str(value["user"])).text if value.get("user") else "",
        "WorkingDir": _absolute(value.get("workdir"), "config.workdir"),
        "ExposedPorts": {_port(p): {} for p in value.get("exposed_ports") or ()},
        "Volumes": {_absolute(v, "config.volumes"): {} for v in value.get("volumes") or ()},
        "Labels": string_map(value.get("labels"), "config.labels"),
        "StopSignal": _signal(value.get("stop_signal"), "config.stop_signal"),
        "Healthcheck": _healthcheck(value.get("healthcheck")),
    }
    return {key: field for key, field in fields.items() if field}


def _healthcheck(value: object) -> dict[str, Any]:
    """Return Docker's ``Healthcheck``, which config.md leaves to engines: times are nanoseconds."""
    if value is None:
        return {}
    where = "config.healthcheck"
    if not isinstance(value, Mapping) or set(value) - {"command", *_HEALTH}:
        raise ImageError(f"expected a command and {', '.join(_HEALTH)}, found {value!r}", where=where)
    command = _strings(value.get("command"), f"{where}.command")
    if not command:
        raise ImageError("has no command", where=where)
    numbers = {_HEALTH[key]: number for key, number in value.items() if key in _HEALTH}
    if any(not isinstance(number, int) or not 0 < number < 1 << 53 for number in numbers.values()):
        raise ImageError(f"expected numbers above 0, found {value!r}", where=where)
    return {"Test": ["CMD", *command], **numbers}


def _strings(value: object, where: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(v, str) and "\0" not in v for v in value):
        raise ImageError(f"expected a list of strings, found {value!r}", where=where)
    return list(value)


def _env(value: object) -> list[str]:
    env = string_map(value, "config.env")
    for name, text in env.items():
        if "=" in name or "\0" in name + text:
            raise ImageError(f"{name!r} cannot be an environment variable", where="config.env")
    return [f"{name}={env[name]}" for name in sorted(env)]


def _signal(value: object, where: str) -> str:
    if value is None or value == "":
        return ""
    text = str(value)
    if not _SIGNAL.fullmatch(text):
        raise ImageError(f"expected a signal such as SIGTERM, found {text!r}", where=where)
    return text


def _absolute(value: object, where: str) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not value.startswith("/"):
        raise ImageError(f"expected an absolute path, found {value!r}", where=where)
    return value


def _port(value: object) -> str:
    match = _PORT.fullmatch(str(value))
    if match is None or not 0 < int(match[1]) <= _LAST_PORT:
        raise ImageError(
            f"expected a port such as 8080, 8080/tcp or 53/udp, found {value!r}", where="config.exposed_ports"
        )
    return f"{int(match[1])}/{match[2] or 'tcp'}"
