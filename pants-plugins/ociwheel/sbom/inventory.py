"""What is in an image, and what built it: the locks joined with what the packages in the layers say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ociwheel.digest import Digest
from ociwheel.errors import ErrorCollector, ImageError
from ociwheel.sbom.licenses import expression
from ociwheel.sbom.purl import purl


@dataclass(frozen=True)
class Library:
    """A shared library inside a wheel."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Component:
    """One package: of the image, or of what built it.

    :param ref: what other components call it: its package URL, with a mark where it only builds.
    :param kind: ``python``, ``deb``, ``crate`` or ``image``.
    :param sha256: of the file that the lock names, or the digest of an image; empty where nothing is locked.
    :param filename: that file.
    :param download: where it is from, where that is no index: the URL of a file, or ``git+URL@COMMIT``, as
        PEP 610 and SPDX write it.
    :param license: an SPDX expression, ``None`` where its metadata leaves it open; then ``license_text`` says
        what there is.
    :param origin: where it is from, in a sentence; empty for what a lock's wheel or package is as it is.
    :param depends: references of what it requires, and which is there.
    """

    ref: str
    kind: str
    name: str
    version: str
    purl: str
    sha256: str
    filename: str = ""
    license: str | None = None
    license_text: str = ""
    supplier: str = ""
    origin: str = ""
    depends: tuple[str, ...] = ()
    libraries: tuple[Library, ...] = ()
    download: str = ""


@dataclass(frozen=True)
class Inventory:
    """What an image for one platform holds and was built from.

    :param digest: of the image's manifest.
    :param created: seconds since 1970.
    :param roots: references of what its own code requires.
    :param parts: what is in it, sorted.
    :param tools: what built it and is not in it, sorted.
    :param builds: by reference of a part, those of what built it.
    :param tool: name and version of what made the image.
    """

    name: str
    digest: str
    platform: str
    created: int
    system: str
    roots: tuple[str, ...]
    parts: tuple[Component, ...]
    tools: tuple[Component, ...]
    builds: Mapping[str, tuple[str, ...]]
    tool: tuple[str, str]


_Row = Mapping[str, Any]
_BUILD = "#build"


def inventory(request: _Row) -> Inventory:
    """Return the inventory of an image.

    :param request: ``image`` (name, digest, platform, created), ``tool`` (name, version), ``roots`` (names
        that the image's own code requires), ``described`` (rows of the layers' ``layer-packages.json``),
        ``python`` (name, version, kind, filename, sha256, required_by, ``first_party`` where nothing is
        locked, and ``source`` of a plan where it is from no index), ``deb`` (rows of a lock), ``builds``
        (name, requirements, compiler, packages, and ``crates`` where there are any) and ``base`` (name,
        digest) of an image of a registry.
    :raises ImageError: layers and locks disagree about what is in the image.
    """
    system: _Row = next((row for row in request["described"] if row["type"] == "system"), {})
    python = _described(request["described"], "python")
    debs = _described(request["described"], "deb")
    _check(request["python"], python, "Python distribution")
    _check(request["deb"], debs, "Debian package")
    refs = {row["name"]: pypi(row) for row in request["python"]}
    required_by = {row["name"]: row.get("required_by", ()) for row in request["python"]}
    parts = [_python(row, python[row["name"]], refs, required_by) for row in request["python"]]
    parts += _debs(request["deb"], debs, system)
    if request.get("base"):
        parts.append(_base(request["base"]))
    builds, tools = _builds(request["builds"], refs, system)
    image, tool = request["image"], request["tool"]
    return Inventory(
        name=image["name"],
        digest=image["digest"],
        platform=image["platform"],
        created=image["created"],
        system=system.get("pretty_name", ""),
        roots=tuple(sorted({refs[name] for name in request["roots"] if name in refs})),
        parts=tuple(sorted(parts, key=lambda part: part.ref)),
        tools=tuple(sorted(tools, key=lambda part: part.ref)),
        builds=builds,
        tool=(tool["name"], tool["version"]),
    )


def pypi(row: _Row) -> str:
    """Return the package URL of a distribution."""
    place = _download(row)
    kind = "vcs_url" if _is_commit(row) else "download_url"
    return purl("pypi", row["name"], row["version"], qualifiers={kind: place})


def _is_commit(row: _Row) -> bool:
    return (row.get("source") or {}).get("kind") == "git"


def _download(row: _Row) -> str:
    """Return where a distribution is from, empty for an index."""
    source = row.get("source") or {}
    if not _is_commit(row):
        return str(source.get("url", ""))
    named = source.get("commit") or source.get("revision") or ""
    folder = source.get("subdirectory", "")
    return f"git+{source['url']}{named and '@'}{named}{folder and '#'}{folder}"


def _described(rows: Sequence[_Row], kind: str) -> dict[str, _Row]:
    # Of a distribution that two layers have, as wheels that fit several platforms do, one row is enough.
    return {row["name"]: row for row in rows if row["type"] == kind}


def _check(locked: Iterable[_Row], there: Mapping[str, _Row], what: str) -> None:
    """Check that the layers hold what is locked, and nothing else."""
    errors = ErrorCollector()
    versions = {row["name"]: row["version"] for row in locked}
    for name in sorted({*versions, *there}):
        if name not in there:
            errors.add(ImageError(f"the {what} {name} {versions[name]} is planned, but in no layer"))
        elif name not in versions:
            errors.add(
                ImageError(f"the {what} {name} {there[name]['version']} is in a layer, but not planned")
            )
    errors.raise_if_any()


def _python(
    row: _Row, said: _Row, refs: Mapping[str, str], required_by: Mapping[str, Sequence[str]]
) -> Component:
    origin = ""
    commit = _is_commit(row)
    if commit:
        origin = "compiled from the locked commit of a git repository"
    elif row.get("first_party"):
        origin = "built from this repository's own code"
    elif row["kind"] != "wheel":
        origin = "compiled from the locked source distribution"
    known = expression(said["license"], said["license_text"], said["classifiers"])
    text = said["license_text"] or "; ".join(one.rpartition(" :: ")[2] for one in said["classifiers"])
    return Component(
        ref=refs[row["name"]],
        kind="python",
        name=row["name"],
        version=row["version"],
        purl=refs[row["name"]],
        # Of what is made of a commit, the lock has no hash of a file: what names it there is none.
        sha256="" if commit else row["sha256"],
        filename="" if commit else row["filename"],
        license=known,
        license_text="" if known else text,
        origin=origin,
        depends=tuple(sorted(refs[name] for name, by in required_by.items() if row["name"] in by)),
        libraries=tuple(Library(one["name"], one["path"], one["sha256"]) for one in said["bundled"]),
        download=_download(row),
    )


def deb(row: _Row, said: _Row, system: _Row) -> str:
    """Return the package URL of a Debian package.

    :param said: its own control file's row; without it, no source package is named.
    """
    source = said.get("source", "")
    version = said.get("source_version", "")
    upstream = "" if source in {"", row["name"]} and version in {"", row["version"]} else source
    if upstream and version != row["version"]:
        upstream = f"{source}@{version}"
    family = system.get("id") or "debian"
    number = system.get("version_id") or system.get("version_codename", "")
    qualifiers = {
        "arch": row["architecture"],
        "distro": f"{family}-{number}" if number else "",
        "upstream": upstream,
    }
    return purl("deb", row["name"], row["version"], namespace=family, qualifiers=qualifiers)


def _debs(locked: Sequence[_Row], there: Mapping[str, _Row], system: _Row) -> list[Component]:
    refs = {row["name"]: deb(row, there[row["name"]], system) for row in locked}
    return [_deb(row, there[row["name"]], refs[row["name"]], refs=refs) for row in locked]


def _deb(row: _Row, said: _Row, own: str, *, refs: Mapping[str, str], mark: str = "") -> Component:
    source = said.get("source")
    return Component(
        ref=own + mark,
        kind="deb",
        name=row["name"],
        version=row["version"],
        purl=own,
        sha256=row["sha256"],
        filename=row["path"].rpartition("/")[2],
        supplier=said.get("maintainer", ""),
        origin=f"built by Debian from the source package {source} {said['source_version']}" if source else "",
        depends=tuple(sorted({refs[name] for name in said.get("requires", ()) if name in refs} - {own})),
    )


def _base(base: _Row) -> Component:
    name, _, tag = base["name"].partition("@")[0].rpartition("/")[2].partition(":")
    own = purl("oci", name, base["digest"], qualifiers={"tag": tag})
    what = "the base image, whose contents are not listed here: they are not read for building upon it"
    return Component(own, "image", base["name"], base["digest"], own, Digest(base["digest"]).hex, origin=what)


def _crate(row: _Row) -> Component:
    own, filename = purl("cargo", row["name"], row["version"]), f"{row['name']}-{row['version']}.crate"
    return Component(own + _BUILD, "crate", row["name"], row["version"], own, row["sha256"], filename)


def _builds(
    rows: Sequence[_Row], refs: Mapping[str, str], system: _Row
) -> tuple[dict[str, tuple[str, ...]], list[Component]]:
    """Return what built each part, and all of these once."""
    tools: dict[str, Component] = {}
    builds = {}
    for row in rows:
        own = [
            Component(
                pypi(one) + _BUILD,
                "python",
                one["name"],
                one["version"],
                pypi(one),
                one["sha256"],
                one["filename"],
            )
            for one in (*row["requirements"], *([row["compiler"]] if row["compiler"] else []))
        ]
        own += [_crate(one) for one in row.get("crates", ())]
        own += [_deb(one, {}, deb(one, {}, system), refs={}, mark=_BUILD) for one in row["packages"]]
        tools.update({one.ref: one for one in own})
        builds[refs[row["name"]]] = tuple(sorted({one.ref for one in own}))
    return builds, list(tools.values())
