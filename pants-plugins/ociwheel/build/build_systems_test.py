from __future__ import annotations

import pytest

from ociwheel.build.build_systems import merged


@pytest.mark.parametrize("users", ["-Dblas=none", ["-Dblas=none"]])
def test_a_users_words_come_after_the_cross_file_and_do_not_replace_it(users: object) -> None:
    ours = {"setup-args": ["--cross-file=x"]}
    assert merged(ours, {"setup-args": users}) == {"setup-args": ["--cross-file=x", "-Dblas=none"]}
    assert ours == {"setup-args": ["--cross-file=x"]}


def test_other_settings_stay_as_they_are() -> None:
    assert merged({"a": ["1"]}, {"b": "2"}) == {"a": ["1"], "b": "2"}
