"""Fetching one locked file from indexes that behave in every way that indexes do."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ociwheel_testing.simple_index import Answer, Offered, SimpleIndex, sha256

from ociwheel.errors import FetchError
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.transport import download as download_module
from ociwheel.transport.credentials import Credentials
from ociwheel.transport.network import ATTEMPTS, RETRY_AFTER_CAP, Network
from ociwheel.transport.settings import NetworkSettings

DATA = b"the content of a wheel" * 1000
WHEEL = "demo-1.0-py3-none-any.whl"
WANTED = Wanted("demo", "1.0", WHEEL, sha256(DATA))
PAGE = "/simple/demo/"
FILE = f"/files/{WHEEL}"


@pytest.fixture
def index() -> Iterator[SimpleIndex]:
    with SimpleIndex({"demo": [Offered(WHEEL, DATA)]}) as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    return []


def client(pauses: list[float], *indexes: str, **settings: object) -> IndexClient:
    machine = NetworkSettings(indexes=indexes, timeout=5, **settings)  # type: ignore[arg-type]
    return IndexClient(machine, Network(machine, sleep=pauses.append))


def failure(found: IndexClient, folder: Path, wanted: Wanted = WANTED) -> str:
    with pytest.raises(FetchError) as caught:
        fetch_artifact(found, wanted, folder)
    assert list(folder.iterdir()) == []
    return caught.value.render()


def test_certificates_are_read_for_tls_alone(
    tmp_path: Path, pauses: list[float], index: SimpleIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr("ociwheel.transport.connection.tls_context", read.append)
    fetch_artifact(client(pauses, index.url), WANTED, tmp_path)
    assert read == []
    proxied = client(pauses, index.url, proxies={"http": "https://127.0.0.1:1"})
    (tmp_path / "none").mkdir()
    failure(proxied, tmp_path / "none")
    assert read == [None], "a proxy for plain addresses may speak TLS itself"


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("with_hash", [True, False])
def test_fetches(tmp_path: Path, pauses: list[float], as_json: bool, with_hash: bool) -> None:
    files = [Offered("demo-2.0-py3-none-any.whl", b"new"), Offered(WHEEL, DATA, with_hash=with_hash)]
    with SimpleIndex({"demo": files}, as_json=as_json) as index:
        done = fetch_artifact(client(pauses, index.url), WANTED, tmp_path)
    assert done.path == tmp_path / WHEEL
    assert (done.sha256, done.size) == (WANTED.sha256, len(DATA))
    assert done.path.read_bytes() == DATA
    assert index.paths() == [PAGE, FILE]
    assert pauses == []


def test_mode_does_not_depend_on_the_umask(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    before = os.umask(0o077)
    try:
        done = fetch_artifact(client(pauses, index.url), WANTED, tmp_path)
    finally:
        os.umask(before)
    assert done.path.stat().st_mode & 0o777 == 0o644


def test_a_yanked_file_is_still_fetched(tmp_path: Path, pauses: list[float]) -> None:
    with SimpleIndex({"demo": [Offered(WHEEL, DATA, yanked=True)]}) as index:
        assert fetch_artifact(client(pauses, index.url), WANTED, tmp_path).size == len(DATA)


def test_a_renamed_file_is_found_by_its_hash(tmp_path: Path, pauses: list[float]) -> None:
    with SimpleIndex({"demo": [Offered("Demo-1.0-py3-none-any.whl", DATA)]}) as index:
        assert fetch_artifact(client(pauses, index.url), WANTED, tmp_path).path.name == WHEEL


def test_second_index_has_it(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    with SimpleIndex() as empty:
        done = fetch_artifact(client(pauses, empty.url, index.url), WANTED, tmp_path)
    assert done.size == len(DATA)


def test_file_index_and_find_links_come_first(
    tmp_path: Path, pauses: list[float], index: SimpleIndex
) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / WHEEL).write_bytes(DATA)
    local = client(pauses, index.url, find_links=(str(folder),))
    assert fetch_artifact(local, WANTED, tmp_path / "out").size == len(DATA)
    page = tmp_path / "simple/demo"
    page.mkdir(parents=True)
    (page / "index.html").write_text(f'<a href="../../links/{WHEEL}">{WHEEL}</a>')
    local = client(pauses, index.url, (tmp_path / "simple").as_uri())
    assert fetch_artifact(local, WANTED, tmp_path / "out2").size == len(DATA)
    assert index.requests == []


def test_http_page_of_find_links(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    body = f'<base href="{index.root}/files/"><a href="{WHEEL}">x</a><a href="other.zip">y</a>'.encode()
    index.script["/links.html"] = [Answer(body=body, headers={"Content-Type": "text/html"})]
    found = client(pauses, find_links=(f"{index.root}/links.html",))
    assert fetch_artifact(found, WANTED, tmp_path).size == len(DATA)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_tries_again(tmp_path: Path, pauses: list[float], index: SimpleIndex, status: int) -> None:
    index.script[PAGE] = [Answer(status), Answer(status)]
    index.script[FILE] = [Answer(status)]
    assert fetch_artifact(client(pauses, index.url), WANTED, tmp_path).size == len(DATA)
    assert pauses == [0.5, 1.0, 0.5]


def test_obeys_retry_after_up_to_a_cap(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    index.script[PAGE] = [
        Answer(429, headers={"Retry-After": "7"}),
        Answer(503, headers={"Retry-After": "86400"}),
        Answer(503, headers={"Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT"}),
        Answer(503, headers={"Retry-After": "soon"}),
    ]
    fetch_artifact(client(pauses, index.url), WANTED, tmp_path)
    assert pauses == [7.0, RETRY_AFTER_CAP, RETRY_AFTER_CAP, 4.0]


def test_a_truncated_download_is_tried_again(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    index.script[FILE] = [Answer(body=DATA[:100], announced=len(DATA))]
    assert fetch_artifact(client(pauses, index.url), WANTED, tmp_path).size == len(DATA)
    assert len(pauses) == 1


def test_message_of_a_server_in_trouble(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    index.script[FILE] = [Answer(503)] * ATTEMPTS
    assert failure(client(pauses, index.url), tmp_path) == (
        f"demo 1.0: no index has {WHEEL}\n"
        f"  expected SHA-256 {WANTED.sha256}\n"
        f"  {index.root}{FILE}: answered 503 Service Unavailable\n"
        "  -> the server is in trouble: try again later, or add another index"
    )


def test_message_when_nobody_has_it(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    wanted = Wanted("demo", "3.0", "demo-3.0.tar.gz", "0" * 64)
    with SimpleIndex() as empty:
        assert failure(client(pauses, empty.url, index.url), tmp_path, wanted) == (
            "demo 3.0: no index has demo-3.0.tar.gz\n"
            f"  expected SHA-256 {'0' * 64}\n"
            f"  {empty.root}{PAGE}: answered 404 Not Found\n"
            f"  {index.root}{PAGE}: does not list it\n"
            "  -> it was deleted, or is on an index that is not configured: add that index, or lock "
            "again"
        )


def test_message_of_another_hash(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    wanted = Wanted("demo", "1.0", WHEEL, "1" * 64)
    assert failure(client(pauses, index.url), tmp_path, wanted) == (
        f"demo 1.0: {WHEEL} is not the file that was locked: its content has another hash\n"
        f"  expected SHA-256 {'1' * 64}\n"
        f"  {index.url}: has it with SHA-256 {WANTED.sha256}\n"
        "  -> either the file was tampered with, or it was uploaded again: find out which before you lock "
        "again"
    )


def test_message_of_content_that_is_not_what_the_page_says(tmp_path: Path, pauses: list[float]) -> None:
    evil = [Offered(WHEEL, b"evil", listed_sha256=WANTED.sha256)]
    with SimpleIndex({"demo": evil}) as index:
        assert failure(client(pauses, index.url), tmp_path) == (
            f"demo 1.0: {WHEEL} is not the file that was locked: its content has another hash\n"
            f"  expected SHA-256 {WANTED.sha256}\n"
            f"  {index.root}{FILE}: has it with SHA-256 {sha256(b'evil')}\n"
            "  -> either the file was tampered with, or it was uploaded again: find out which before you "
            "lock again"
        )


def test_message_of_no_index(tmp_path: Path, pauses: list[float]) -> None:
    assert failure(client(pauses), tmp_path) == (
        "demo 1.0: no index is configured, so there is nowhere to download from\n"
        "  -> name an index: `indexes` of network.json, or `pip config set global.index-url URL`"
    )


@pytest.mark.parametrize(("status", "phrase"), [(401, "Unauthorized"), (403, "Forbidden")])
def test_message_of_refused_credentials(
    tmp_path: Path, pauses: list[float], index: SimpleIndex, status: int, phrase: str
) -> None:
    index.script[PAGE] = [Answer(status)]
    url = index.url.replace("//", "//jo:s3cret@")
    message = failure(client(pauses, url, keyring=False), tmp_path)
    assert message == (
        f"demo 1.0: no index has {WHEEL}\n"
        f"  expected SHA-256 {WANTED.sha256}\n"
        f"  {index.root}{PAGE}: answered {status} {phrase}\n"
        "  -> give credentials: user and password in the index URL, a line `machine HOST login USER password "
        "PASSWORD` in ~/.netrc, or `keyring set URL USER`"
    )
    assert pauses == []


def test_message_of_a_page_that_is_none(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    index.script[PAGE] = [Answer(body=b'{"login": "please"}', headers={"Content-Type": "application/json"})]
    assert failure(client(pauses, index.url), tmp_path) == (
        f"demo 1.0: no index has {WHEEL}\n"
        f"  expected SHA-256 {WANTED.sha256}\n"
        f"  {index.root}{PAGE}: is JSON, but no page of the simple API (no list of files)\n"
        "  -> check that the URL is that of a simple index (it often ends in /simple)"
    )


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_message_of_a_dead_server(tmp_path: Path, pauses: list[float]) -> None:
    url = f"http://127.0.0.1:{closed_port()}/simple"
    assert failure(client(pauses, url), tmp_path) == (
        f"demo 1.0: no index has {WHEEL}\n"
        f"  expected SHA-256 {WANTED.sha256}\n"
        f"  {url}/demo/: the connection failed: Connection refused\n"
        "  -> check the network of this machine and the index URLs, then try again"
    )
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_message_of_a_dead_proxy(
    tmp_path: Path, pauses: list[float], index: SimpleIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    port = closed_port()
    proxies = {"http": f"http://jo:s3cret@127.0.0.1:{port}"}
    message = failure(client(pauses, "http://index.invalid/simple", proxies=proxies), tmp_path)
    assert message == (
        f"demo 1.0: no index has {WHEEL}\n"
        f"  expected SHA-256 {WANTED.sha256}\n"
        "  http://index.invalid/simple/demo/: the connection failed: Connection refused "
        f"(through the proxy http://****@127.0.0.1:{port})\n"
        "  -> check the proxy: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or `pip config set global.proxy URL`"
    )
    assert "s3cret" not in capsys.readouterr().err


def test_message_of_a_proxy_that_refuses(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    index.script["http://index.invalid/simple/demo/"] = [Answer(407)]
    message = failure(client(pauses, "http://index.invalid/simple", proxies={"http": index.root}), tmp_path)
    assert "index.invalid/simple/demo/: answered 407 Proxy Authentication Required\n" in message
    assert message.endswith("NO_PROXY, or `pip config set global.proxy URL`")


def test_goes_through_the_proxy_except_for_the_hosts_it_must_not(
    tmp_path: Path, pauses: list[float], index: SimpleIndex
) -> None:
    page = index.answer(PAGE, None)
    absolute = page.body.replace(b"../../files", f"{index.root}/files".encode())
    with SimpleIndex() as proxy:
        proxy.script["http://index.invalid/simple/demo/"] = [Answer(body=absolute, headers=page.headers)]
        proxies = {"http": proxy.root, "no": "127.0.0.1"}
        fetch_artifact(client(pauses, "http://index.invalid/simple", proxies=proxies), WANTED, tmp_path)
        assert proxy.paths() == ["http://index.invalid/simple/demo/"]
    assert index.paths() == [FILE]


def test_credentials_go_to_their_origin_only(tmp_path: Path, pauses: list[float]) -> None:
    login = ("jo", "s3 cret")
    with (
        SimpleIndex({"demo": [Offered(WHEEL, DATA)]}) as store,
        SimpleIndex({"demo": [Offered(WHEEL, DATA)]}, login=login) as index,
    ):
        location = {"Location": f"{store.root}{FILE}"}
        index.script[FILE] = [Answer(302, headers=location)]
        url = index.url.replace("//", "//jo:s3%20cret@")
        fetch_artifact(client(pauses, url), WANTED, tmp_path)
        assert store.paths() == [FILE]
        assert "authorization" not in store.requests[0][1]
        assert "authorization" in index.requests[0][1]
        assert "authorization" in index.requests[1][1]


def test_credentials_of_netrc(tmp_path: Path, pauses: list[float]) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login jo password s3cret\n")
    with SimpleIndex({"demo": [Offered(WHEEL, DATA)]}, login=("jo", "s3cret")) as index:
        found = client(pauses, index.url, netrc=tmp_path / "netrc")
        assert fetch_artifact(found, WANTED, tmp_path / "out").size == len(DATA)


def test_credentials_of_a_keyring_after_a_refusal(tmp_path: Path, pauses: list[float]) -> None:
    asked: list[tuple[str, str]] = []

    def keyring(url: str, user: str) -> tuple[str, str] | None:
        asked.append((url, user))
        return (user, "s3cret") if "/" not in url else None

    with SimpleIndex({"demo": [Offered(WHEEL, DATA)]}, login=("jo", "s3cret")) as index:
        machine = NetworkSettings(indexes=(index.url.replace("//", "//jo@"),))
        network = Network(machine, Credentials(machine.indexes, None, keyring), pauses.append)
        fetch_artifact(IndexClient(machine, network), WANTED, tmp_path)
        assert asked == [(f"{index.root}{PAGE}", "jo"), (index.host, "jo")]


def test_redirects_are_followed_and_bounded(tmp_path: Path, pauses: list[float], index: SimpleIndex) -> None:
    index.script["/simple/demo/?again"] = [index.answer(PAGE, None)]
    index.script[PAGE] = [Answer(301, headers={"Location": "/simple/demo/?again"})]
    assert fetch_artifact(client(pauses, index.url), WANTED, tmp_path / "a").size == len(DATA)
    index.script[PAGE] = [Answer(302, headers={"Location": PAGE})] * 20
    (tmp_path / "b").mkdir()
    assert "redirects more than 10 times" in failure(client(pauses, index.url), tmp_path / "b")
    index.script[PAGE] = [Answer(302, headers={"Location": "file:///etc/passwd"})]
    assert "redirects to a URL of scheme 'file'" in failure(client(pauses, index.url), tmp_path / "b")


def test_message_of_a_full_disk(
    tmp_path: Path, pauses: list[float], index: SimpleIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download_module, "copy_chunks", full)
    assert failure(client(pauses, index.url), tmp_path) == (
        f"{tmp_path}: no space left on the disk\n  -> free some space, then try again"
    )


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    options = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    argv = ["openssl", *options.split(), "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)
    return key, cert


def test_tls(tmp_path: Path, pauses: list[float], certificate: tuple[Path, Path]) -> None:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with SimpleIndex({"demo": [Offered(WHEEL, DATA)]}, tls=context) as index:
        (tmp_path / "none").mkdir()
        message = failure(client(pauses, index.url), tmp_path / "none")
        assert message == (
            f"demo 1.0: no index has {WHEEL}\n"
            f"  expected SHA-256 {WANTED.sha256}\n"
            f"  {index.root}{PAGE}: its certificate is not trusted: self-signed certificate\n"
            "  -> name the certificates of your company or proxy: `ca_bundle` of network.json, "
            "`pip config set global.cert FILE`, or SSL_CERT_FILE"
        )
        assert pauses == []
        message = failure(client(pauses, index.url, ca_bundle=tmp_path / "absent.pem"), tmp_path / "none")
        assert f"cannot read the CA bundle {tmp_path / 'absent.pem'}: No such file or directory" in message
        trusting = client(pauses, index.url, ca_bundle=cert)
        assert fetch_artifact(trusting, WANTED, tmp_path / "a").size == len(DATA)
        careless = client(pauses, index.url, trusted_hosts=frozenset({"127.0.0.1"}))
        assert fetch_artifact(careless, WANTED, tmp_path / "b").size == len(DATA)
        with SimpleIndex() as plain:
            index.script[PAGE] = [Answer(302, headers={"Location": plain.url})]
            message = failure(client(pauses, index.url, ca_bundle=cert), tmp_path / "none")
            assert "redirects from https to http" in message
            assert plain.requests == []
