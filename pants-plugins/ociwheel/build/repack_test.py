from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ociwheel.build.repack import repack
from ociwheel.errors import BuildError

INFO = "demo-1.0.dist-info"


def wheel(path: Path, files: list[tuple[str, bytes]], when: tuple[int, int], mode: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*files, (f"{INFO}/RECORD", b"nonsense")]:
            info = zipfile.ZipInfo(name, (2020, *when, 1, 1, 1))
            info.external_attr = (0o100000 | mode | (0o100 if name.endswith(".sh") else 0)) << 16
            archive.writestr(info, data)
    return path


names = st.from_regex(r"[a-z]{1,6}/[a-z]{1,6}\.(py|sh|so)", fullmatch=True)


@settings(max_examples=30)
@given(
    st.dictionaries(names, st.binary(max_size=50), max_size=5),
    st.permutations(range(5)),
    st.sampled_from([0o600, 0o644, 0o664]),
)
def test_the_same_files_make_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], order: list[int], mode: int
) -> None:
    folder = tmp_path_factory.mktemp("wheels")
    items = list(files.items())
    shuffled = [items[i] for i in order if i < len(items)]
    repack(wheel(folder / "a.whl", items, (1, 1), 0o644), folder / "a")
    repack(wheel(folder / "b.whl", shuffled, (9, 9), mode), folder / "b")
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_entries_modes_and_record(tmp_path: Path) -> None:
    made = wheel(
        tmp_path / "a.whl",
        [(f"{INFO}/WHEEL", b"w"), ("z.py", b"z"), ("demo-1.0.data/scripts/run.sh", b"s"), ("c.pyc", b"")],
        (2, 2),
        0o600,
    )
    repack(made, tmp_path / "out.whl")
    with zipfile.ZipFile(tmp_path / "out.whl") as archive:
        listing = [(i.filename, oct(i.external_attr >> 16), i.date_time[0]) for i in archive.infolist()]
        record = archive.read(f"{INFO}/RECORD").decode()
    assert listing == [
        ("demo-1.0.data/scripts/run.sh", "0o100755", 1980),
        ("z.py", "0o100644", 1980),
        (f"{INFO}/WHEEL", "0o100644", 1980),
        (f"{INFO}/RECORD", "0o100644", 1980),
    ]
    assert record.splitlines()[-1] == f"{INFO}/RECORD,,"


def test_a_wheel_without_record_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("a.py", b"")
    with pytest.raises(BuildError) as caught:
        repack(tmp_path / "a.whl", tmp_path / "b.whl")
    assert str(caught.value) == "a.whl: the backend made a wheel with no RECORD, or with an entry twice"
