"""Why an image's digests changed: two reports of `package`, compared platform by platform, layer by layer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable, Sequence

from slim_python_image.goals.explain_steps import Cause, Document, Side, field_differences, step_causes
from slim_python_image.products import SlimImageError

SCHEMA = "slim-python-image.explain/1"
READABLE = ("slim-python-image.report/1", "slim-python-image.report/2")
# Names of the OCI configuration that are other than those of the fields.
_CONFIG_FIELDS = {"cmd": "args", "entrypoint": "entry_point", "exposed_ports": "ports"}
_ONE_OF_A_KIND = frozenset({"source-layer", "source-layers", "rootfs-layer"})
_UNKNOWN = Cause("unknown", "the earlier report does not say what its parts were made from", None, None)


def parse_report(data: bytes, where: str) -> Document:
    """Return a report that `package` wrote.

    :raises SlimImageError: it is not one, or not of a version that can be read.
    """
    hint = (
        "name the `<name>.json` that `package` wrote beside an image, such as one kept from an earlier build"
    )
    try:
        report = json.loads(data)
    except ValueError as e:
        raise SlimImageError(f"{where}: is not JSON ({e})\n  -> {hint}") from None
    found = report.get("schema") if isinstance(report, dict) else None
    if found not in READABLE:
        raise SlimImageError(
            f"{where}: expected a report ({' or '.join(READABLE)}), found {found!r}\n  -> {hint}"
        )
    assert isinstance(report, dict)
    missing = [key for key in ("target", "digest", "platforms") if key not in report]
    if missing:
        raise SlimImageError(f"{where}: the report has no {', '.join(missing)}\n  -> {hint}")
    return report


@dataclass(frozen=True)
class Change:
    """What became of a layer, a platform or an index.

    :param status: `same`, `changed`, `added`, `removed`, or `rebuilt`: made anew from other inputs, with
        the same digest.
    """

    name: str
    status: str
    earlier: str | None
    current: str | None
    causes: tuple[Cause, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the change for programs."""
        return {
            "name": self.name,
            "status": self.status,
            "earlier": self.earlier,
            "current": self.current,
            "causes": [cause.to_json() for cause in self.causes],
        }


@dataclass(frozen=True)
class PlatformChange:
    """What became of a platform, and of its layers, bottom first; those that are gone come last."""

    change: Change
    layers: tuple[Change, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the change for programs."""
        return {**self.change.to_json(), "layers": [layer.to_json() for layer in self.layers]}


@dataclass(frozen=True)
class Explanation:
    """Why an image's digests changed."""

    image: Change
    platforms: tuple[PlatformChange, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the explanation for programs."""
        return {
            "target": self.image.name,
            **{key: value for key, value in self.image.to_json().items() if key != "name"},
            "platforms": [one.to_json() for one in self.platforms],
        }


def explain(earlier: Document, current: Document) -> Explanation:
    """Compare two reports."""
    old = {one["platform"]: Side(one, earlier.get("steps", {})) for one in earlier["platforms"]}
    new = {one["platform"]: Side(one, current.get("steps", {})) for one in current["platforms"]}
    platforms = [_platform(name, old.get(name), side) for name, side in new.items()]
    platforms += [_platform(name, side, None) for name, side in old.items() if name not in new]
    causes: tuple[Cause, ...] = ()
    if "fields" in earlier and "fields" in current:
        causes = _requirements(field_differences(earlier["fields"], current["fields"]), earlier, current)
    same = earlier["digest"] == current["digest"]
    if not same and not causes and all(one.change.status in {"same", "rebuilt"} for one in platforms):
        causes = _index_causes(earlier, current)
    image = Change(
        current["target"], "same" if same else "changed", earlier["digest"], current["digest"], causes
    )
    return Explanation(image, tuple(platforms))


def _requirements(causes: Iterable[Cause], earlier: Document, current: Document) -> tuple[Cause, ...]:
    """Return causes with each requirement as one of its own, in place of the list of all."""
    kept = [cause for cause in causes if cause.subject != "requirements"]
    old, new = (set(one["fields"].get("requirements", ())) for one in (earlier, current))
    kept += [Cause("requirement", text, text, None) for text in sorted(old - new)]
    kept += [Cause("requirement", text, None, text) for text in sorted(new - old)]
    return tuple(kept)


def _index_causes(earlier: Document, current: Document) -> tuple[Cause, ...]:
    """Return why an index changed though no platform's manifest did."""
    names = [[one["platform"] for one in report["platforms"]] for report in (earlier, current)]
    if names[0] != names[1]:
        return (Cause("field", "platforms", ", ".join(names[0]), ", ".join(names[1])),)
    return _causes_of_steps(
        earlier, current, Side({}, earlier.get("steps", {})), Side({}, current.get("steps", {}))
    )


def _causes_of_steps(old: Document, new: Document, before: Side, now: Side) -> tuple[Cause, ...]:
    """Return why two parts of reports differ, from the steps that made them."""
    made = before.step(old.get("step")), now.step(new.get("step"))
    if made[0] is None or made[1] is None:
        return (_UNKNOWN,)
    return step_causes((made[0], before), (made[1], now))


# --- one platform -------------------------------------------------------------------------------------


def _platform(name: str, before: Side | None, now: Side | None) -> PlatformChange:
    if before is None or now is None:
        only = (now or before).platform["digest"]  # type: ignore[union-attr]
        status = "added" if now else "removed"
        return PlatformChange(Change(name, status, None if now else only, only if now else None))
    old, new = before.platform, now.platform
    layers = _layers(before, now)
    causes: tuple[Cause, ...] = ()
    status = "same"
    if old["digest"] != new["digest"]:
        status = "changed"
        causes = _manifest_causes(layers, before, now)
    return PlatformChange(Change(name, status, old["digest"], new["digest"], causes), layers)


def _config(platform: Document) -> dict[str, Any]:
    return {_CONFIG_FIELDS.get(name, name): value for name, value in platform.get("config", {}).items()}


def _manifest_causes(layers: Sequence[Change], before: Side, now: Side) -> tuple[Cause, ...]:
    """Return what changed a manifest besides its layers."""
    old, new = before.platform, now.platform
    causes = list(field_differences(_config(old), _config(new)) if "config" in old else ())
    orders = [
        [one["digest"] for one in side["layers"] if one["digest"] in {x["digest"] for x in other["layers"]}]
        for side, other in ((old, new), (new, old))
    ]
    if orders[0] != orders[1]:
        causes.append(Cause("layer order", "", " ".join(orders[0]), " ".join(orders[1])))
    was, now_is = before.step(old.get("step")), now.step(new.get("step"))
    if was is not None and now_is is not None:
        # The request holds what was compared above: the layers and the configuration.
        bare = {**was, "files": {}}, {**now_is, "files": {}}
        if bare[0] != bare[1]:
            causes += step_causes((bare[0], before), (bare[1], now))
    if not causes and all(layer.status in {"same", "rebuilt"} for layer in layers):
        causes += _causes_of_steps(old, new, before, now)
    return tuple(causes)


# --- layers -------------------------------------------------------------------------------------------


def _layers(before: Side, now: Side) -> tuple[Change, ...]:
    old, new = list(before.platform["layers"]), list(now.platform["layers"])
    pairs = _pairs(old, new, before, now)
    changes = [
        _layer(old[pairs[number]] if number in pairs else None, layer, before, now)
        for number, layer in enumerate(new)
    ]
    gone = [layer for number, layer in enumerate(old) if number not in pairs.values()]
    return (*changes, *(_layer(layer, None, before, now) for layer in gone))


def _step_name(layer: Document, side: Side) -> str:
    """Return which step made a layer; of old reports, what kind of thing it holds."""
    made = side.step(layer.get("step"))
    if made:
        return str(made["step"])
    types = sorted({one["type"] for one in layer["contents"]})
    return {
        "deb": "deb-layer",
        "wheel": "wheel-layer",
        "source": "source-layer",
        "rootfs": "rootfs-layer",
    }.get(types[0] if types else "source", types[0] if types else "source-layer")


def _names(layer: Document) -> frozenset[str]:
    return frozenset(one["name"] for one in layer["contents"])


def _pairs(old: Sequence[Document], new: Sequence[Document], before: Side, now: Side) -> dict[int, int]:
    """Return which earlier layer became which: number of the earlier one by that of the current one.

    Equal digests belong together; then, of layers that the same step made, those that hold most in common.
    """
    pairs: dict[int, int] = {}
    for number, layer in enumerate(new):
        for other, candidate in enumerate(old):
            if candidate["digest"] == layer["digest"] and other not in pairs.values():
                pairs[number] = other
                break
    ranked = sorted(
        (-len(_names(layer) & _names(candidate)), layer["title"] != candidate["title"], number, other)
        for number, layer in enumerate(new)
        for other, candidate in enumerate(old)
        if number not in pairs
        and other not in pairs.values()
        and _step_name(layer, now) == _step_name(candidate, before)
    )
    for common, other_title, number, other in ranked:
        alike = common or not other_title or _step_name(new[number], now) in _ONE_OF_A_KIND
        if alike and number not in pairs and other not in pairs.values():
            pairs[number] = other
    return pairs


def _layer(old: Document | None, new: Document | None, before: Side, now: Side) -> Change:
    if old is None or new is None:
        one = new or old
        assert one is not None
        digest = one["digest"]
        return Change(
            one["title"],
            "added" if new else "removed",
            None if new else digest,
            digest if new else None,
            tuple(_moves(one, before, now)),
        )
    if old["digest"] == new["digest"]:
        if old.get("step") == new.get("step") or "step" not in old:
            return Change(new["title"], "same", old["digest"], new["digest"])
        causes = _causes_of_steps(old, new, before, now)
        return Change(new["title"], "rebuilt", old["digest"], new["digest"], causes)
    if "step" not in old or "step" not in new:
        causes = (*_content_causes(old, new), _UNKNOWN)
    else:
        causes = _causes_of_steps(old, new, before, now)
    return Change(new["title"], "changed", old["digest"], new["digest"], causes)


def _content_causes(old: Document, new: Document) -> Iterable[Cause]:
    """Yield what two layers hold differently, for reports that say no more than that."""
    tables = [{(c["type"], c["name"]): c["version"] for c in layer["contents"]} for layer in (old, new)]
    for key in sorted({*tables[0], *tables[1]}):
        old_version, new_version = (table.get(key) for table in tables)
        if old_version != new_version:
            kind = {"deb": "package"}.get(key[0], key[0])
            yield Cause(kind, key[1], old_version, new_version)


def _moves(layer: Document, before: Side, now: Side) -> Iterable[Cause]:
    """Yield where what a layer holds was, or is, for a layer that was added or removed."""
    for content in layer["contents"]:
        was, now_is = (_place(side, content["type"], content["name"]) for side in (before, now))
        kind = {"deb": "package"}.get(content["type"], content["type"])
        yield Cause(kind, content["name"], was, now_is)


def _place(side: Side, kind: str, name: str) -> str | None:
    for layer in side.platform["layers"]:
        for content in layer["contents"]:
            if (content["type"], content["name"]) == (kind, name):
                return f"{content['version']} in the layer `{layer['title']}`"
    return None
