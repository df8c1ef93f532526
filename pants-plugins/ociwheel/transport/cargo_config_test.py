from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.errors import FetchError
from ociwheel.transport.cargo_config import CrateSource, crate_source

MIRROR = """\
[source.crates-io]
replace-with = "mirror"
[source.mirror]
registry = "sparse+https://mirror.invalid/crates"
"""


@pytest.fixture
def cargo(tmp_path: Path) -> Path:
    path = tmp_path / "cargo"
    path.write_bytes(b"\x7fELF\0...sparse+https://default.invalid/registries.crates-io.protocolunsupported")
    return path


def source(folder: Path, cargo: Path, text: str | None, name: str = "config.toml") -> CrateSource:
    home = folder / "home/.cargo"
    home.mkdir(parents=True, exist_ok=True)
    if text is not None:
        (home / name).write_text(text)
    return crate_source({"HOME": str(folder / "home")}, cargo)


@pytest.mark.parametrize("text", [None, "", "[net]\noffline = true\n", '[source.other]\nregistry = "x"\n'])
def test_what_cargo_asks_by_itself_is_read_from_the_locked_cargo(
    tmp_path: Path, cargo: Path, text: str | None
) -> None:
    assert source(tmp_path, cargo, text) == CrateSource("https://default.invalid/", "cargo's default")


@pytest.mark.parametrize("name", ["config.toml", "config"])
def test_a_mirror_that_cargo_is_told_of(tmp_path: Path, cargo: Path, name: str) -> None:
    found = source(tmp_path, cargo, MIRROR, name)
    assert found == CrateSource("https://mirror.invalid/crates/", str(tmp_path / "home/.cargo" / name))


def test_a_replacement_may_be_replaced_or_name_a_registry(tmp_path: Path, cargo: Path) -> None:
    text = '[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "b"\n'
    registry = '[registries.b]\nindex = "sparse+http://b.invalid/"\n'
    assert source(tmp_path, cargo, text + registry).index == "http://b.invalid/"


def test_cargos_own_folder_may_be_elsewhere(tmp_path: Path, cargo: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "config.toml").write_text(MIRROR)
    assert crate_source({"CARGO_HOME": str(folder)}, cargo).index == "https://mirror.invalid/crates/"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is not TOML"),
        ('[source.crates-io]\nreplace-with = "a"\n', "names the source a, which it does not define"),
        (
            '[source.crates-io]\nreplace-with = "a"\n[source.a]\ndirectory = "/x"\n',
            "source.a: is no registry",
        ),
        (
            '[source.crates-io]\nregistry = "https://host.invalid/index.git"\n',
            "source.crates-io.registry: is no sparse index",
        ),
        (
            '[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "a"\n',
            "replaces sources more than 10 times",
        ),
        ("source = 7\n", "source: expected an object, found a number"),
    ],
)
def test_what_cannot_be_followed(tmp_path: Path, cargo: Path, text: str, said: str) -> None:
    with pytest.raises(FetchError) as caught:
        source(tmp_path, cargo, text)
    assert said in str(caught.value)
    assert str(tmp_path / "home/.cargo/config.toml") in str(caught.value)


@pytest.mark.parametrize("content", [b"", None])
def test_a_cargo_that_is_not_there_or_does_not_say(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "cargo"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FetchError, match="nothing says where crates are"):
        source(tmp_path, path, None)
