"""Tests finding the addresses of a daemon."""

from pathlib import Path

import pytest

from intercomd_daemon.cli.addresses import (
    INGEST,
    OPERATIONS,
    PAGES,
    AddressUnknown,
    HealthPage,
    Listener,
    address_of,
    health_pages,
    is_loopback,
)

CASES = (
    (INGEST, {}, "", "127.0.0.1:50051"),
    (OPERATIONS, {}, "", "127.0.0.1:9091"),
    (PAGES, {}, "", "127.0.0.1:9090"),
    (INGEST, {"INTERCOMD_INGEST_LISTEN": "host:1, host:2"}, "", "host:1"),
    (OPERATIONS, {}, '[operations]\ngrpc_listen = "host:3"', "host:3"),
    (OPERATIONS, {"INTERCOMD_OPERATIONS_GRPC_LISTEN": "host:4"}, '[operations]\ngrpc_listen = "host:3"', "host:4"),
    (INGEST, {}, '[ingest]\nlisten = ["unix:/run/i.sock", "host:5"]', "unix:/run/i.sock"),
    (INGEST, {}, "[ingest]\nenvelopes_max = 3", "127.0.0.1:50051"),
    (PAGES, {}, '[operations]\nlisten = "0.0.0.0:90"', "127.0.0.1:90"),
    (PAGES, {}, '[operations]\nlisten = "[::]:90"', "[::1]:90"),
)


@pytest.mark.parametrize(("listener", "environment", "text", "address"), CASES)
def test_address_of_prefers_variable_then_file_then_default(
    tmp_path: Path, listener: Listener, environment: dict[str, str], text: str, address: str
) -> None:
    path = tmp_path / "intercomd.toml"
    path.write_text(text)
    assert address_of(listener, str(path), environment) == address


def test_address_of_without_a_file_is_the_default() -> None:
    assert address_of(INGEST, None, {}) == INGEST.default


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[ingest]\nlisten = ["127.0.0.1:0"]', "any free port"),
        ("[ingest]\nlisten = [7]", "not an address"),
        ("[ingest", "not TOML"),
        ("a = " + "[" * 20_000, "nested deeper than any settings"),
    ],
)
def test_address_of_rejects_settings_without_an_address(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "intercomd.toml"
    path.write_text(text)
    with pytest.raises(AddressUnknown, match=message):
        address_of(INGEST, str(path), {})


def test_address_of_reads_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As the daemon does: else the daemon starts, and no command finds it."""
    path = tmp_path / "intercomd.toml"
    path.write_bytes(b"\xef\xbb\xbf" + b'[ingest]\nlisten = ["127.0.0.1:7"]')
    assert address_of(INGEST, str(path), {}) == "127.0.0.1:7"


def test_address_of_names_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "intercomd.toml"
    path.write_bytes("[ingest]".encode("utf-16"))
    with pytest.raises(AddressUnknown, match="byte 0 is not UTF-8"):
        address_of(INGEST, str(path), {})


def test_address_of_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AddressUnknown, match=r"nowhere\.toml cannot be read"):
        address_of(INGEST, str(tmp_path / "nowhere.toml"), {})


@pytest.mark.parametrize(
    ("environment", "text", "pages"),
    [
        ({}, "", [HealthPage("127.0.0.1:9090", tls=False)]),
        (
            {"INTERCOMD_HEALTH_LISTEN": "0.0.0.0:9092"},
            "",
            [HealthPage("127.0.0.1:9092", tls=False), HealthPage("127.0.0.1:9090", tls=False)],
        ),
        (
            {},
            '[health]\nlisten = ["unix:/run/h"]\n[operations.tls]\ncertificate_file = "/c"',
            [HealthPage("unix:/run/h", tls=False), HealthPage("127.0.0.1:9090", tls=True)],
        ),
        (
            {"INTERCOMD_OPERATIONS_TLS_CERTIFICATE_FILE": "/c"},
            '[operations]\nlisten = "unix:/run/o"',
            [HealthPage("unix:/run/o", tls=False)],
        ),
    ],
)
def test_health_pages_are_those_of_health_then_operations(
    tmp_path: Path, environment: dict[str, str], text: str, pages: list[HealthPage]
) -> None:
    path = tmp_path / "intercomd.toml"
    path.write_text(text)
    assert health_pages(str(path), environment) == pages


def test_loopback_is_this_machine() -> None:
    assert [is_loopback(address) for address in ("127.0.0.1:1", "[::1]:1", "localhost:1", "host:1")] == [
        True,
        True,
        True,
        False,
    ]
