"""Where a machine downloads from, by network.json, pip's configuration and apt's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.errors import UsageError
from ociwheel.fetch.index import link_sources
from ociwheel.transport import apt_sources, pip_config, settings
from ociwheel.transport.credentials import Credentials
from ociwheel.transport.settings import NetworkSettings, from_machine, host_of
from ociwheel.transport.urls import split_userinfo

NOWHERE = Path("/nonexistent")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which only what a test says is configured."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": "https://a/s",
    }


def test_a_commands_own_section_is_stronger_than_global() -> None:
    text = "[global]\nindex-url = https://a/simple\ntimeout = 5\n[install]\nindex-url = https://b/simple\n"
    config, notes = pip_config.read({}, [])
    assert (config.values, notes) == ({}, ())
    values = pip_config._file_values(text)
    assert values == {"index-url": "https://b/simple", "timeout": "5"}


def test_later_files_and_then_variables_are_stronger(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("[global]\nindex_url = https://one\nfind-links = /x\n  /y\n")
    two.write_text("[download]\nindex-url = https://two\nno-index = yes\n")
    config, _ = pip_config.read({}, [one, two, tmp_path / "absent"])
    assert config.text("index-url") == "https://two"
    assert config.words("find-links") == ("/x", "/y")
    assert config.flag("no-index")
    assert config.files == (str(one), str(two))
    config, _ = pip_config.read({"PIP_INDEX_URL": "https://env", "PIP_NO_INDEX": "0"}, [one, two])
    assert config.text("index-url") == "https://env"
    assert not config.flag("no-index")


def test_a_file_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("index-url = https://x\n")
    config, notes = pip_config.read({}, [tmp_path / "bad"])
    assert config.values == {}
    assert len(notes) == 1
    assert notes[0].startswith(f"cannot read {tmp_path / 'bad'}: ")


def test_files_in_pips_order() -> None:
    names = [str(path) for path in pip_config.config_files({"HOME": "/h", "PIP_CONFIG_FILE": "/mine"})]
    assert names[:2] == ["/etc/xdg/pip/pip.conf", "/etc/pip.conf"]
    assert names[-3:] == ["/h/.pip/pip.conf", "/h/.config/pip/pip.conf", "/mine"]
    assert pip_config.config_files({"PIP_CONFIG_FILE": "/dev/null"}) == ()


def test_home_is_known_without_a_variable() -> None:
    assert pip_config.home({}) is not None


def test_machine(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("")
    found = from_machine(
        {
            **environ,
            "PIP_EXTRA_INDEX_URL": "https://b/s file:///c",
            "PIP_FIND_LINKS": "/wheels",
            "PIP_TRUSTED_HOST": "a b:8080",
            "PIP_TIMEOUT": "7",
            "PIP_KEYRING_PROVIDER": "disabled",
            "ALL_PROXY": "http://all",
            "https_proxy": "http://s",
            "no_proxy": "x,y",
            "SSL_CERT_FILE": "/ca.pem",
        },
        NOWHERE,
    )
    assert found.indexes == ("https://a/s", "https://b/s", "file:///c")
    assert found.find_links == ("/wheels",)
    assert found.trusted_hosts == {"a", "b:8080"}
    assert found.timeout == 7
    assert found.keyring is False
    assert found.proxies == {"http": "http://all", "https": "http://s", "all": "http://all", "no": "x,y"}
    assert found.ca_bundle == Path("/ca.pem")
    assert found.netrc == tmp_path / ".netrc"
    assert found.debian_mirrors == {}


def test_pips_proxy_and_certificate_are_stronger(environ: dict[str, str]) -> None:
    mine = {
        **environ,
        "PIP_PROXY": "p:3128",
        "HTTP_PROXY": "http://q",
        "PIP_CERT": "/pip.pem",
        "SSL_CERT_FILE": "/x",
    }
    found = from_machine(mine, NOWHERE)
    assert found.proxies == {"http": "http://p:3128", "https": "http://p:3128"}
    assert found.ca_bundle == Path("/pip.pem")


def test_no_index(environ: dict[str, str]) -> None:
    assert from_machine({**environ, "PIP_NO_INDEX": "1"}, NOWHERE).indexes == ()


def test_network_json_wins_key_by_key(environ: dict[str, str], tmp_path: Path) -> None:
    value = {
        "indexes": ["https://json/simple"],
        "ca_bundle": None,
        "proxies": {"http": "http://p", "https": None},
        "debian_mirrors": {"debian": ["http://m/debian/"]},
    }
    (tmp_path / "network.json").write_text(json.dumps(value))
    variables = {**environ, "OCIWHEEL_MACHINE": str(tmp_path), "PIP_FIND_LINKS": "/wheels", "PIP_CERT": "/x"}
    found = settings.load(variables)
    assert found.indexes == ("https://json/simple",)
    assert found.find_links == ("/wheels",)
    assert found.ca_bundle is None
    assert found.proxies == {"http": "http://p"}
    assert found.debian_mirrors["debian"] == ("http://m/debian",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "network.json: expected an object, found a list"),
        ({"indexes": "x"}, "network.json: indexes: expected a list, found 'x'"),
        ({"netrc": 1}, "network.json: netrc: expected a text, found a number"),
        (
            {"debian_mirrors": {"debian": [1]}},
            "network.json: debian_mirrors.debian[0]: expected a text, found a number",
        ),
    ],
)
def test_malformed_network_json(environ: dict[str, str], tmp_path: Path, value: object, message: str) -> None:
    (tmp_path / "network.json").write_text(json.dumps(value))
    with pytest.raises(UsageError) as caught:
        settings.load({**environ, "OCIWHEEL_MACHINE": str(tmp_path)})
    assert caught.value.render() == message


def test_places_on_this_disk_come_first_and_labels_hide_credentials() -> None:
    found = link_sources(NetworkSettings(indexes=("https://u:p@a/s", "file:///b"), find_links=("/wheels",)))
    assert [place.label for place in found] == ["file:///wheels", "file:///b", "https://a/s"]
    assert found[2].page("A.b") == "https://u:p@a/s/a-b/"


def test_userinfo_is_decoded() -> None:
    assert split_userinfo("https://a%40b:c%3A@h:1/x?y") == ("https://h:1/x?y", ("a@b", "c:"))
    assert split_userinfo("https://h/x@y") == ("https://h/x@y", None)
    assert host_of("https://U:P@Host:443/x") == "host"
    assert host_of("http://host:8080") == "host:8080"


def test_a_broken_netrc_is_noted_without_its_content(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "netrc").write_text("machine h login jo passwort s3cret\n")
    assert Credentials((), tmp_path / "netrc", None).login("https://h/x") is None
    assert capsys.readouterr().err == (
        f"note: the logins in {tmp_path / 'netrc'} are not used: it cannot be read (NetrcParseError)\n"
    )


ONE_LINE = """
# deb http://old/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://m/debian/ bookworm main contrib
deb http://m/debian bookworm-updates main
deb-src http://s/debian bookworm main
deb http://sec/debian-security bookworm-security main
deb https://vendor/apt vendor-bookworm main
deb https://docker/linux/debian bookworm stable
deb cdrom:[x]/ bookworm main
"""
DEB822 = """
Types: deb deb-src
# a comment
URIs: http://a/debian
 http://b/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://sec/debian-security
Suites: bookworm-security
Components: main
"""


def test_apt_sources(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    assert apt_sources.mirrors(apt_sources.read_sources(tmp_path)) == {
        "debian": ("http://m/debian",),
        "debian-security": ("http://sec/debian-security",),
    }
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    assert apt_sources.mirrors(apt_sources.read_sources(tmp_path)) == {
        "debian": ("http://m/debian", "http://a/debian", "http://b/debian"),
        "debian-security": ("http://sec/debian-security",),
    }
    assert apt_sources.mirrors(apt_sources.read_sources(NOWHERE)) == {}


@given(st.text(alphabet="deb []#:\n\t UR Types:Is main/http", max_size=200))
def test_any_text_is_a_file_of_apt_sources(text: str) -> None:
    apt_sources.mirrors(apt_sources.parse_one_line(text))
    apt_sources.mirrors(apt_sources.parse_deb822(text))
