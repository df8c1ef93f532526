from __future__ import annotations

import pytest
from pants.base.exceptions import BackendConfigurationError

from slim_python_image.versions import check_version, minor_version


@pytest.mark.parametrize(
    ("version", "found"),
    [("2.17.1", (2, 17)), ("2.30.3rc0", (2, 30)), ("2.34.0.dev3", (2, 34)), ("3.0.0", (3, 0))],
)
def test_the_first_two_numbers(version: str, found: tuple[int, int]) -> None:
    assert minor_version(version) == found


@pytest.mark.parametrize("version", ["2.17.1", "2.17.0", "2.30.0", "2.33.0", "2.34.0.dev3", "3.0.0"])
def test_versions_that_work(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize("version", ["2.16.0", "2.18.0", "2.29.1", "1.30.0"])
def test_other_versions_are_told_in_one_line(version: str) -> None:
    with pytest.raises(BackendConfigurationError) as e:
        check_version(version)
    assert str(e.value) == (
        f"slim_python_image works with Pants 2.17.1, and 2.30 or later, and this is Pants {version}: set "
        "[GLOBAL].pants_version to one of those; no release of slim_python_image serves those between"
    )
