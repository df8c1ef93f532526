"""Each concept is defined in one place: docs/explanation/design.md names them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGES = [Path(__file__).parent, Path(__file__).parents[1] / "slim_python_image"]
# What a second definition would hold, and the modules that may.
# An entry of a lock is none of a layer; what a header of a tar or zip says is not yet one.
ENTRIES = {
    *("ociwheel/formats/entries.py", "ociwheel/formats/tar.py", "ociwheel/formats/zip.py"),
    *("ociwheel/lock/entries.py", "slim_python_image/util_rules/locks.py"),
}
CONCEPTS = {
    "a digest, as a text": (
        r"""["']sha256:(?!<)|startswith\(["']sha256|removeprefix\(["']sha256""",
        {"ociwheel/digest.py"},
    ),
    "the digits of a SHA-256": (
        r"\{64\}",
        {"ociwheel/digest.py", "slim_python_image/goals/explain_text.py", "ociwheel/sbom/provenance.py"},
    ),
    "the place of a blob": (
        r"""["']blobs/sha256/?["'{]|/ "sha256\"""",
        {"ociwheel/digest.py"},
    ),
    "the tags of a wheel": (
        r"cpython_tags|compatible_tags|sys_tags|manylinux_\{|manylinux2014",
        {"ociwheel/target.py"},
    ),
    "the name of an image": (r"""library/|["']docker\.io""", {"ociwheel/image_name.py"}),
    "the platforms": (r"aarch64-linux-gnu|arm-linux-gnueabihf|EM_AARCH64", {"ociwheel/platforms.py"}),
    "the walk along links": (r"class FileTree|def resolve_link", {"ociwheel/formats/filetree.py"}),
    "a file of a wheel, package or layer": (r"class \w*Entry\b(?!Error)", ENTRIES),
}


@pytest.mark.parametrize("concept", CONCEPTS)
def test_one_definition(concept: str) -> None:
    pattern, homes = CONCEPTS[concept]
    found = {
        f"{path.relative_to(package.parent)}:{number}: {line.strip()}"
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        if not path.name.endswith("_test.py") and str(path.relative_to(package.parent)) not in homes
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(pattern, line) and not line.lstrip().startswith(("#", '"""', "``"))
    }
    assert not found, f"{concept} is defined elsewhere too:\n" + "\n".join(sorted(found))


@pytest.mark.parametrize("concept", CONCEPTS)
def test_the_definition_is_where_it_should_be(concept: str) -> None:
    pattern, homes = CONCEPTS[concept]
    for home in homes:
        assert re.search(pattern, (PACKAGES[0].parent / home).read_text("utf-8")), home
