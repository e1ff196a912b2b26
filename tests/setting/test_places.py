"""Addresses and URLs by tables: which are valid, and which two are the same place."""

import pytest

from intercomd_daemon.setting import places
from intercomd_daemon.setting.kinds import ValueKind

ADDRESS = places.address()


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:50051",
        "0.0.0.0:1",
        "[::]:50051",
        "[fe80::1%eth0]:80",
        "localhost:0",
        "intercomd.example-mesh.local:65535",
        "unix:/run/intercomd.sock",
        "unix:intercomd.sock",
        "unix:" + "x" * 107,
    ],
)
def test_address_is_read_as_it_stands(text: str) -> None:
    assert ADDRESS.read(text) == text


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (50051, '50051 is not an address; write "host:port" or "unix:path" in quotes'),
        ("a\nb:1", '"a\\nb:1" is not an address; write "host:port" or "unix:path" in quotes'),
        (":50051", '":50051" is not an address; write "host:port" ("0.0.0.0:50051" or "[::]:50051"'),
        ("50051", '"50051" is not an address; write "host:port"'),
        ("host:", '"host:" is not an address; write "host:port"'),
        ("::1:80", '"::1:80" is not an address; write "host:port"'),
        ("http://host:80", '"http://host:80" is not an address; write "host:port"'),
        ("host:grpc", '"host:grpc" is not an address; write "host:port"'),
        ("host:65536", '"host:65536" has a port above 65535; write one from 1 to 65535'),
        ("unix:", '"unix:" has a path that no socket can have; write 1 to 107 bytes'),
        ("unix:" + "ü" * 54, "has a path that no socket can have; write 1 to 107 bytes"),
    ],
)
def test_invalid_address_is_refused_with_the_remedy(raw: object, message: str) -> None:
    with pytest.raises(ValueError, match=r"; ") as raised:
        ADDRESS.read(raw)
    assert message in str(raised.value)


def test_list_of_addresses_is_written_with_commas_in_a_variable() -> None:
    kind = places.addresses()
    assert kind.read(kind.from_text("127.0.0.1:1, unix:/s ,")) == ("127.0.0.1:1", "unix:/s")
    assert kind.read(kind.from_text("")) == ()


def test_addresses_names_every_bad_item() -> None:
    with pytest.raises(ValueError, match=r'"nowhere" is not an address.*"127.0.0.1:70000" has a port above 65535'):
        places.addresses().read(["nowhere", "127.0.0.1:1", "127.0.0.1:70000"])


@pytest.mark.parametrize("raw", ["127.0.0.1:50051", [], 5])
def test_addresses_refuses_other_types(raw: object) -> None:
    with pytest.raises(ValueError, match=r'is not a list of addresses; write \["127.0.0.1:50051"\]'):
        places.addresses(minimum=1).read(raw)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("localhost:80", "127.0.0.1:80", True),
        ("LocalHost:80", "localhost:80", True),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "[::1]:80", False),
        ("[::1]:80", "[::]:80", True),
        ("[::]:80", "127.0.0.1:80", True),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "unix:/b", False),
        ("unix:/a", "127.0.0.1:80", False),
        ("unix:a", "unix:./a", True),
        ("unix:a", "unix:b/../a", True),
        ("unix:///run/a", "unix:/run/../run//a", True),
    ],
)
def test_two_listeners_cannot_have_overlapping_addresses(one: str, other: str, same: bool) -> None:
    assert places.overlap(one, other) is same
    assert places.overlap(other, one) is same


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:intercomd.db",
        "sqlite:/var/lib/spool.db",
        "memory:",
        "postgresql://me@db/spool",
        "postgresql:///spool?host=/run/postgresql&port=5433",
        "postgresql://me@one,[::1]:6000,%2Frun%2Fa:/spool?sslmode=require",
        "postgresql://me@db/spool?sslmode=verify-full&channel_binding=prefer&connect_timeout=10",
    ],
)
def test_spool_is_an_engine_and_a_path(text: str) -> None:
    assert places.spool_url().read(text) == text


BASE = places.base_url()
SPOOL = places.spool_url()


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        (
            SPOOL,
            "intercomd.db",
            '"intercomd.db" names no spool; write "sqlite:PATH", "postgresql://…", or "memory:" to keep nothing',
        ),
        (SPOOL, "mysql://host/db", "names no spool"),
        (SPOOL, "postgresql:host", "has no address"),
        (SPOOL, "postgresql://me:secret@host/db", "put it into spool.password_file"),
        (SPOOL, "postgresql://me@host/db?password=secret", "holds a secret, password; put it into spool.password_file"),
        (SPOOL, "postgresql://me@host/db?sslmode=require&sslpassword=x", "holds a secret, sslpassword; give a key"),
        (SPOOL, "postgresql://me@host/db?channel_binding=require", '"channel_binding=require" cannot be enforced'),
        (SPOOL, "postgresql://me@host/db?gssencmode=require", "leave gssencmode out"),
        (SPOOL, "postgresql://me@host/db?sslmode", '"sslmode" is not a parameter of a database; write "name=value"'),
        (SPOOL, "postgresql://me@host/db?sslmode=&port=1", '"sslmode=" is not a parameter'),
        (SPOOL, "postgresql://me@[::1/db", "is not a host of a database"),
        (SPOOL, "postgresql://me@one,::1/db", "is not a host of a database"),
        (SPOOL, "postgresql://me@one:65536/db", "with a port up to 65535"),
        (SPOOL, "postgresql://me@one:x/db", "is not a host of a database"),
        (SPOOL, "postgresql://me@/db?port=5432,abc", '":abc" is not a host'),
        (SPOOL, 5, "5 names no spool"),
        (SPOOL, "memory:x", '"memory:x" has a path that memory has no use for; write "memory:"'),
        (SPOOL, "sqlite:", '"sqlite:" has no path to a file; write "sqlite:PATH", such as "sqlite:intercomd.db"'),
        (SPOOL, "sqlite::memory:", "has no path to a file"),
        (SPOOL, "sqlite:file:a.db?mode=ro", "has no path to a file"),
        (BASE, "api.intercom.io", '"api.intercom.io" is not a url; write "https://host"'),
        (BASE, "ftp://host", "is not a url"),
        (BASE, "https://", "is not a url"),
        (BASE, "https://host:port", "is not a url"),
        (BASE, "https://[::1", "is not a url"),
        (BASE, "https://a b", "is not a url"),
        (BASE, 5, "5 is not a url"),
        (BASE, "https://host/?a=b", 'this url has more than a host and a path; write "https://host"'),
        (BASE, "https://host/#a", "this url has more than a host and a path"),
        (BASE, "http://api.intercom.io", "would send the access token in the clear; write https://"),
    ],
)
def test_invalid_place_is_refused_with_the_remedy(kind: ValueKind, raw: object, message: str) -> None:
    with pytest.raises(ValueError, match=r"; ") as raised:
        kind.read(raw)
    assert message in str(raised.value)


def test_refusal_of_a_url_with_a_password_does_not_repeat_it() -> None:
    with pytest.raises(ValueError, match="more than a host and a path") as raised:
        BASE.read("https://somebody:hush@host")
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", ""),
        ("https://api.eu.intercom.io", "https://api.eu.intercom.io"),
        ("https://proxy:8443/intercom/", "https://proxy:8443/intercom"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_base_url_is_https_or_on_this_host(text: str, url: str) -> None:
    assert BASE.read(text) == url


PROXY = places.proxy()


@pytest.mark.parametrize("raw", ["", "none", "http://proxy:3128", "http://user:secret@proxy:3128"])
def test_proxy_is_a_url_none_or_empty(raw: str) -> None:
    assert PROXY.read(raw).reveal() == raw


@pytest.mark.parametrize("raw", ["proxy", "https://", 5, None])
def test_proxy_rejects_other_values(raw: object) -> None:
    with pytest.raises(ValueError, match="this is not the URL of a proxy"):
        PROXY.read(raw)


def test_proxy_is_shown_without_its_password() -> None:
    assert "secret" not in PROXY.show(PROXY.read("http://user:secret@proxy:3128"))


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("unix:a", True), ("0.0.0.0:1", False)],
)
def test_local_address_is_judged_as_it_is_written(address: str, local: bool) -> None:
    assert places.is_local(address) is local


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("Gateway.example:50051", "gateway.example"),
        ("[2001:db8::1]:50051", "2001:db8::1"),
        ("0.0.0.0:50051", ""),
        ("[::]:50051", ""),
        ("unix:/run/intercomd.sock", ""),
    ],
)
def test_host_of_is_empty_where_clients_choose_the_name(address: str, host: str) -> None:
    assert places.host_of(address) == host


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://intercom.internal", True),
        ("http://localhost:1234", False),
        ("http://127.0.0.1:1234", False),
        ("https://api.intercom.io", False),
    ],
)
def test_token_is_in_the_clear_beyond_this_host_without_tls(url: str, clear: bool) -> None:
    assert places.in_the_clear(url) is clear
