"""SBOMs of an inventory, read back by the libraries of those who wrote the specifications."""

import copy
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from ociwheel.errors import ImageError
from ociwheel.sbom.compose import Inventory, draft, encode, inventory, materials, provenance, source
from ociwheel.sbom.licenses import expression
from ociwheel.sbom.purl import purl

_A, _B, _C, _D, _E, _F = (letter * 64 for letter in "abcdef")


def _python(name: str, version: str, **more: Any) -> dict[str, Any]:
    row = {"type": "python", "name": name, "version": version, "license": "", "license_text": ""}
    return {**row, "classifiers": [], "bundled": [], **more}


@pytest.fixture
def request_() -> dict[str, Any]:
    library = {
        "name": "libgomp-a34b3233.so.1",
        "path": "app/lib/fast.libs/libgomp-a34b3233.so.1",
        "sha256": _E,
    }
    deb = {"type": "deb", "maintainer": "GNU Libc Maintainers <libc@example.com>", "requires": ["libgcc-s1"]}
    gcc = {"source": "gcc-12", "source_version": "12.2.0-14", "maintainer": "Jane (x) <jane@example.com>"}
    return {
        "image": {"name": "src/app:image", "digest": f"sha256:{_A}", "platform": "linux/arm/v7", "created": 0},
        "tool": {"name": "demo", "version": "1"},
        "roots": ["web"],
        "described": [
            {"type": "system", "id": "debian", "version_id": "12", "pretty_name": "Debian GNU/Linux 12"},
            _python("web", "1.0", license="MIT OR Apache-2.0"),
            _python("fast", "2.0", license_text="Special", bundled=[library]),
            _python("own", "0.1", license="LicenseRef-Own"),
            {**deb, "name": "libc6", "version": "2.36-9+u1", "source": "glibc", "source_version": "2.36-9+u1"},
            {**deb, **gcc, "name": "libgcc-s1", "version": "12.2.0-14", "requires": []},
        ],
        "python": [
            {"name": "web", "version": "1.0", "kind": "wheel", "filename": "web.whl", "sha256": _B},
            {"name": "fast", "version": "2.0", "kind": "sdist", "filename": "fast.tar.gz", "sha256": _C,
             "required_by": ["web"]},
            {"name": "own", "version": "0.1", "kind": "wheel", "filename": "own.whl", "sha256": _D,
             "first_party": True},
        ],
        "deb": [
            {"name": "libc6", "version": "2.36-9+u1", "architecture": "armhf", "path": "pool/libc6.deb", "sha256": _D},
            {"name": "libgcc-s1", "version": "12.2.0-14", "architecture": "armhf", "path": "p/g.deb", "sha256": _E},
        ],
        "builds": [
            {
                "name": "fast",
                "requirements": [{"name": "web", "version": "1.0", "filename": "web.whl", "sha256": _B}],
                "compiler": {"name": "ziglang", "version": "0.17", "filename": "zig.whl", "sha256": _E},
                "packages": [{"name": "libc6", "version": "2.36-9+u1", "architecture": "amd64",
                              "path": "pool/libc6.deb", "sha256": _A}],
                "crates": [{"name": "zstd-sys", "version": "2.0.9+zstd.1.5.5", "sha256": _F}],
            }
        ],
        "base": None,
    }  # fmt: skip


def sbom(found: Inventory, kind: str) -> bytes:
    return draft(found, kind).of(found.digest)


def _spdx(request: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(sbom(inventory(request), "spdx"))
    return value


def _cyclonedx(request: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(sbom(inventory(request), "cyclonedx"))
    return value


@pytest.mark.filterwarnings("ignore::Warning")  # of the libraries' own dependencies
def test_spdx_is_valid_for_its_reference_reader(request_: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "image.spdx.json"
    path.write_bytes(sbom(inventory(request_), "spdx"))
    read = parse_file(str(path))
    assert [message.validation_message for message in validate_full_spdx_document(read, "SPDX-2.3")] == []
    versions = {(one.name, one.version) for one in read.packages}
    assert versions >= {("web", "1.0"), ("fast", "2.0"), ("libc6", "2.36-9+u1"), ("ziglang", "0.17")}


def test_cyclonedx_is_valid_for_its_reference_schema(request_: dict[str, Any]) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(sbom(inventory(request_), "cyclonedx").decode()) is None
    broken = _cyclonedx(request_)
    broken["components"][0]["scope"] = "sometimes"
    assert validator.validate_str(json.dumps(broken)) is not None


def test_a_part_has_the_hash_and_the_file_of_its_lock(request_: dict[str, Any]) -> None:
    packages = {one["SPDXID"]: one for one in _spdx(request_)["packages"]}
    fast = packages["SPDXRef-python-fast"]
    assert fast["checksums"] == [{"algorithm": "SHA256", "checksumValue": _C}]
    assert fast["packageFileName"] == "fast.tar.gz"
    assert fast["sourceInfo"] == "compiled from the locked source distribution"
    assert fast["licenseComments"] == "its metadata says: Special"
    assert packages["SPDXRef-python-web"]["licenseDeclared"] == "MIT OR Apache-2.0"
    bundled = packages["SPDXRef-python-fast-1"]
    assert (bundled["name"], bundled["checksums"][0]["checksumValue"]) == ("libgomp-a34b3233.so.1", _E)
    libc = packages["SPDXRef-deb-libc6"]["externalRefs"][0]["referenceLocator"]
    assert libc == "pkg:deb/debian/libc6@2.36-9%2Bu1?arch=armhf&distro=debian-12&upstream=glibc"
    libgcc = packages["SPDXRef-deb-libgcc-s1"]
    assert libgcc["originator"] == "Person: Jane x (jane@example.com)"
    assert "upstream=gcc-12" in libgcc["externalRefs"][0]["referenceLocator"]


@pytest.mark.filterwarnings("ignore::Warning")  # of the libraries' own dependencies
def test_what_is_from_no_index_names_its_place(request_: dict[str, Any], tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    git = {"kind": "git", "url": "https://h.example.org/fast.git", "commit": commit, "subdirectory": "py"}
    request_["python"][0]["source"] = {"kind": "url", "url": "https://h.example.org/web.whl"}
    request_["python"][1]["source"] = git
    place = f"git+https://h.example.org/fast.git@{commit}#py"
    found = inventory(request_)
    assert [one for one in materials(found) if one["uri"].startswith("git+")] == [
        {"uri": place, "digest": {"gitCommit": commit}}
    ]
    # What names the commit in a plan is no hash of a file.
    for kind in ("spdx", "cyclonedx"):
        assert _C not in sbom(found, kind).decode()
    assert _C not in json.dumps(materials(found))
    path = tmp_path / "image.spdx.json"
    path.write_bytes(sbom(found, "spdx"))
    read = parse_file(str(path))
    assert [message.validation_message for message in validate_full_spdx_document(read, "SPDX-2.3")] == []
    packages = {one["SPDXID"]: one for one in _spdx(request_)["packages"]}
    assert packages["SPDXRef-python-fast"]["downloadLocation"] == place
    assert packages["SPDXRef-python-fast"]["sourceInfo"].startswith("compiled from the locked commit")
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(sbom(found, "cyclonedx").decode()) is None
    components = {
        one["name"]: one for one in _cyclonedx(request_)["components"] if one["scope"] == "required"
    }
    fast, web = components["fast"], components["web"]
    assert (
        fast["purl"]
        == f"pkg:pypi/fast@2.0?vcs_url=git%2Bhttps:%2F%2Fh.example.org%2Ffast.git%40{commit}%23py"
    )
    assert fast["externalReferences"] == [{"type": "vcs", "url": place}]
    assert "hashes" not in fast
    assert web["purl"] == "pkg:pypi/web@1.0?download_url=https:%2F%2Fh.example.org%2Fweb.whl"
    assert web["hashes"] == [{"alg": "SHA-256", "content": _B}]
    git["url"] = "file:///src/fast"
    (local,) = (one for one in _spdx(request_)["packages"] if one["SPDXID"] == "SPDXRef-python-fast")
    assert local["downloadLocation"] == "NOASSERTION"


def test_who_required_what_and_what_built_it(request_: dict[str, Any]) -> None:
    rows = _spdx(request_)["relationships"]
    found = {(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in rows}
    assert ("SPDXRef-image", "DEPENDS_ON", "SPDXRef-python-web") in found
    assert ("SPDXRef-python-web", "DEPENDS_ON", "SPDXRef-python-fast") in found
    assert ("SPDXRef-deb-libc6", "DEPENDS_ON", "SPDXRef-deb-libgcc-s1") in found
    assert ("SPDXRef-build-python-ziglang", "BUILD_DEPENDENCY_OF", "SPDXRef-python-fast") in found
    assert ("SPDXRef-build-crate-zstd-sys", "BUILD_DEPENDENCY_OF", "SPDXRef-python-fast") in found
    # What is in the image and built something too is two packages: one of them does not ship.
    assert ("SPDXRef-build-python-web", "BUILD_DEPENDENCY_OF", "SPDXRef-python-fast") in found
    assert ("SPDXRef-image", "CONTAINS", "SPDXRef-build-python-web") not in found
    components = {one["bom-ref"]: one for one in _cyclonedx(request_)["components"]}
    assert components["pkg:cargo/zstd-sys@2.0.9%2Bzstd.1.5.5#build"]["hashes"][0]["content"] == _F
    assert components["pkg:pypi/web@1.0"]["scope"] == "required"
    assert components["pkg:pypi/web@1.0#build"]["scope"] == "excluded"


def test_equal_inventories_are_equal_bytes_and_others_have_other_names(request_: dict[str, Any]) -> None:
    other = copy.deepcopy(request_)
    other["python"][0]["sha256"] = _E
    for kind, name in (("spdx", "documentNamespace"), ("cyclonedx", "serialNumber")):
        first = sbom(inventory(request_), kind)
        request_["python"].reverse()
        request_["described"].reverse()
        assert sbom(inventory(request_), kind) == first
        assert json.loads(sbom(inventory(other), kind))[name] != json.loads(first)[name]


@pytest.mark.parametrize("kind", ["spdx", "cyclonedx"])
def test_a_draft_becomes_the_sbom_of_the_image_and_of_nothing_else(
    request_: dict[str, Any], kind: str
) -> None:
    digest = f"sha256:{'7' * 64}"
    plain = draft(inventory(request_), kind)
    # What a package says of itself may look like anything, also like what stands in a draft.
    row = next(one for one in request_["described"] if one["type"] == "python")
    row["license_text"], row["license"] = f"{plain.digest} {plain.identity} {'0' * 64}", None
    hostile = draft(inventory(request_), kind)
    assert {plain.digest, plain.identity}.isdisjoint({hostile.digest, hostile.identity})
    text = hostile.of(digest).decode()
    assert f"{plain.digest} {plain.identity} {'0' * 64}" in text
    assert hostile.digest not in text
    assert hostile.identity not in text
    assert text.count("7" * 64) == 2
    # The identity is of the content with the digest in it.
    name = "documentNamespace" if kind == "spdx" else "serialNumber"
    value = json.loads(text)
    own = value.pop(name)
    content = json.dumps(value, sort_keys=True)
    if kind == "spdx":
        assert own.endswith(hashlib.sha256(content.encode()).hexdigest())
    else:
        assert own == f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    assert json.loads(hostile.of(f"sha256:{'8' * 64}"))[name] != own


def test_a_layer_and_a_lock_that_disagree_are_an_error(request_: dict[str, Any]) -> None:
    extra = _python("stray", "3")
    request_["described"] = [*request_["described"][:-1], extra]
    with pytest.raises(ImageError) as caught:
        inventory(request_)
    assert "the Python distribution stray 3 is in a layer, but not planned" in str(caught.value)
    request_["described"] = request_["described"][:-1]
    with pytest.raises(
        ImageError, match=r"the Debian package libgcc-s1 12\.2\.0-14 is planned, but in no layer"
    ):
        inventory(request_)


def test_the_image_of_a_registry_is_a_part_whose_contents_are_not_listed(request_: dict[str, Any]) -> None:
    request_["base"] = {"name": "library/python:3.11", "digest": f"sha256:{_E}"}
    parts = {one.purl: one for one in inventory(request_).parts}
    base = parts[f"pkg:oci/python@sha256:{_E}?tag=3.11"]
    assert base.sha256 == _E
    assert "not listed" in base.origin


@pytest.mark.parametrize(
    ("stated", "text", "classifiers", "found"),
    [
        ("MIT", "whatever", [], "MIT"),
        ("", "Apache License, Version 2.0", [], "Apache-2.0"),
        ("", "", ["License :: OSI Approved :: MIT License"], "MIT"),
        # Two licences, and one that names several: nobody says which.
        (
            "",
            "",
            ["License :: OSI Approved :: MIT License", "License :: OSI Approved :: ISC License (ISCL)"],
            None,
        ),
        ("", "BSD", ["License :: OSI Approved :: BSD License"], None),
        ("MIT\nand more", "", [], None),
    ],
)
def test_a_licence_is_stated_where_the_metadata_leaves_no_doubt(
    stated: str, text: str, classifiers: list[str], found: str | None
) -> None:
    assert expression(stated, text, classifiers) == found


def test_package_urls_are_encoded() -> None:
    found = purl("deb", "libstdc++6", "1:2~3", namespace="debian", qualifiers={"b": "x/y", "a": "1", "c": ""})
    assert found == "pkg:deb/debian/libstdc%2B%2B6@1:2~3?a=1&b=x%2Fy"


def test_provenance_names_each_material_once(request_: dict[str, Any]) -> None:
    used = materials(inventory(request_))
    revision = f"git+https://git.example.com/repository@{'1' * 40}"
    statement = provenance(
        subjects=[("image", f"sha256:{_A}")],
        build_type="urn:demo",
        builder="https://ci.example.com",
        versions={"demo": "1"},
        parameters={"target": "src/app:image"},
        materials=[*used, *used, source(revision)],
    )
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "image", "digest": {"sha256": _A}}]
    definition = statement["predicate"]["buildDefinition"]
    assert {"uri": revision, "digest": {"gitCommit": "1" * 40}} in definition["resolvedDependencies"]
    hashes = [one["digest"].get("sha256") for one in definition["resolvedDependencies"]]
    # web is in the image and built fast: one file.
    assert sorted(h for h in hashes if h) == [_A, _B, _C, _D, _D, _E, _E, _F]


@pytest.mark.parametrize("kind", ["spdx", "cyclonedx"])
def test_each_component_has_a_line_of_its_own(request_: dict[str, Any], kind: str) -> None:
    found = inventory(request_)
    text = sbom(found, kind).decode()
    items = json.loads(text)["packages" if kind == "spdx" else "components"]
    lines = [line.strip().rstrip(",") for line in text.splitlines()]
    assert all(json.dumps(one, sort_keys=True, ensure_ascii=False) in lines for one in items)
    assert sum('"version' in line and '"purl"' in line for line in lines) >= len(found.parts)


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 9])
def test_lines_change_nothing_of_a_document(depth: int) -> None:
    value = {"b": [{"y": [], "x": {}}, [1, [2]], "é\n"], "a": {"n": None, "t": True}, "": {}, "c": []}
    encoded = encode(value, depth)
    assert json.loads(encoded) == value
    assert encoded.endswith(b"\n")
    assert list(json.loads(encoded)) == sorted(value)
    assert encoded.count(b"\n") == {0: 1, 1: 6, 2: 13}.get(depth, encoded.count(b"\n"))
