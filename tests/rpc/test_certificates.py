"""What is read of X.509 certificates, compared with what the `cryptography` library reads."""

import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from intercomd_daemon.rpc.certificates import Certificate, read_certificates
from tls.certificates import uri_client

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def valid_for(before: timedelta, after: timedelta) -> Certificate:
    return Certificate(NOW - before, NOW + after)


def test_read_certificates_reads_times_and_names() -> None:
    ca = trustme.CA()
    issued = ca.issue_cert(
        "gateway.example",
        "*.shop.example",
        "10.0.0.5",
        "2001:db8::1",
        not_before=NOW,
        not_after=NOW + timedelta(days=9),
    )
    own, authority = read_certificates(issued.cert_chain_pems[0].bytes() + ca.cert_pem.bytes())
    assert (own.not_before, own.not_after) == (NOW, NOW + timedelta(days=9))
    assert own.dns_names == ("gateway.example", "*.shop.example")
    assert own.addresses == ("10.0.0.5", "2001:db8::1")
    assert own.names == (*own.dns_names, *own.addresses)
    expected = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    assert (authority.not_before, authority.not_after) == (expected.not_valid_before_utc, expected.not_valid_after_utc)
    assert authority.names == ()


def test_read_certificates_reads_uris() -> None:
    ca = trustme.CA()
    (read,) = read_certificates(uri_client(ca, b"", "spiffe://prod/ns/billing/sa/api").certificate)
    assert read.uris == read.names == ("spiffe://prod/ns/billing/sa/api",)


@pytest.mark.parametrize(("begin", "end"), [(1951, 2049), (1999, 2050), (2000, 9999)])
def test_read_certificates_reads_both_forms_of_time(begin: int, end: int) -> None:
    """UTCTime up to 2049, GeneralizedTime from 2050 on."""
    key = ec.generate_private_key(ec.SECP256R1())
    first, last = datetime(begin, 2, 3, tzinfo=UTC), datetime(end, 12, 31, 23, 59, 59, tzinfo=UTC)
    made = x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key(), 1, first, last).sign(
        key, hashes.SHA256()
    )
    (read,) = read_certificates(made.public_bytes(serialization.Encoding.PEM))
    assert read == Certificate(first, last)


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
def test_read_certificates_agrees_on_the_authorities_of_the_system() -> None:
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    content = bundle.read_bytes() if bundle.exists() else trustme.CA().cert_pem.bytes()
    expected = [
        (each.not_valid_before_utc, each.not_valid_after_utc) for each in x509.load_pem_x509_certificates(content)
    ]
    assert [(each.not_before, each.not_after) for each in read_certificates(content)] == expected


def test_read_certificates_without_a_version() -> None:
    """The version is absent in certificates of version 1, which some private authorities still are."""
    times = b"".join(bytes((0x17, 13)) + text for text in (b"200101000000Z", b"300101000000Z"))
    fields = b"\x02\x01\x01" + b"\x30\x00" + b"\x30\x00" + b"\x30" + bytes((len(times),)) + times + b"\x30\x00"
    body = b"\x30" + bytes((len(fields),)) + fields
    pem = (
        b"-----BEGIN CERTIFICATE-----\n"
        + base64.encodebytes(b"\x30" + bytes((len(body),)) + body)
        + b"-----END CERTIFICATE-----\n"
    )
    (read,) = read_certificates(pem)
    assert read == Certificate(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 40, 90, 150, 300])
def test_read_certificates_rejects_what_ends_too_soon(size: int) -> None:
    whole = ssl.PEM_cert_to_DER_cert(trustme.CA().cert_pem.bytes().decode())
    with pytest.raises(ValueError, match="ends too soon"):
        read_certificates(ssl.DER_cert_to_PEM_cert(whole[:size]).encode())


def test_read_certificates_finds_none_in_other_pem() -> None:
    assert read_certificates(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n") == []


@pytest.mark.parametrize(
    ("lifetime", "left", "due"),
    [
        (timedelta(days=90), timedelta(days=10), False),
        (timedelta(days=90), timedelta(days=8), True),
        (timedelta(hours=24), timedelta(hours=3), False),
        (timedelta(hours=24), timedelta(hours=2), True),
        (timedelta(days=3650), timedelta(days=31), False),
        (timedelta(days=3650), timedelta(days=29), True),
        (timedelta(days=90), timedelta(days=-1), True),
    ],
)
def test_is_due_depends_on_the_lifetime(lifetime: timedelta, left: timedelta, due: bool) -> None:
    assert valid_for(lifetime - left, left).is_due(NOW) is due


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("gateway.example", True),
        ("GATEWAY.example", True),
        ("eu.shop.example", True),
        ("a.eu.shop.example", False),
        ("shop.example", False),
        ("localhost", False),
        ("10.0.0.5", True),
        ("10.0.0.6", False),
        ("2001:DB8:0::1", True),
    ],
)
def test_matches_compares_names_as_clients_do(host: str, accepted: bool) -> None:
    names = Certificate(NOW, NOW, ("Gateway.example", "*.shop.example"), ("10.0.0.5", "2001:db8::1"))
    assert names.matches(host) is accepted
