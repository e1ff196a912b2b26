"""Reads what X.509 certificates say of themselves: when they are valid and for which names. Pure.

Python's `ssl` shows both only of a certificate that it has verified, which an expired one never is.
"""

import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

RENEWAL_SHARE = 0.1
"""A certificate with less than this share of its time left should have been renewed: renewers start at a third."""
RENEWAL_MAX = timedelta(days=30)
"""No certificate is due earlier than this before its end."""
_PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END", re.DOTALL)
# Tags of DER. RFC 5280, 4.1 and 4.2.1.6.
_SEQUENCE, _OCTETS, _VERSION, _UTC_TIME, _EXTENSIONS = 0x30, 0x04, 0xA0, 0x17, 0xA3
_DNS_NAME, _URI, _ADDRESS = 0x82, 0x86, 0x87
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")
_LONG = 0x80
_Item = tuple[int, bytes]
"""A tag and its content."""


class Certificate(NamedTuple):
    """One certificate of a file."""

    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All its names."""
        return self.dns_names + self.addresses + self.uris

    def is_due(self, now: datetime) -> bool:
        """Returns whether it ends so soon that it should have been renewed."""
        return self.not_after - now < min((self.not_after - self.not_before) * RENEWAL_SHARE, RENEWAL_MAX)

    def matches(self, host: str) -> bool:
        """Returns whether a client that calls `host` accepts its names. RFC 9525: `*` is one whole first label."""
        try:
            return str(ip_address(host)) in self.addresses
        except ValueError:
            name = host.lower()
            wildcard = "*." + name.partition(".")[2]
            return any(each.lower() in {name, wildcard} for each in self.dns_names)


def read_certificates(pem: bytes) -> list[Certificate]:
    """Returns the certificates of a PEM file in its order.

    Raises:
        ValueError: one of them is not a certificate.
    """
    try:
        return [_certificate(binascii.a2b_base64(body)) for body in _PEM.findall(pem)]
    except (IndexError, StopIteration) as error:
        raise ValueError("a certificate ends too soon") from error


def _certificate(der: bytes) -> Certificate:
    fields = list(_items(_items_of(der)[0][1]))
    # Certificate { TBSCertificate { [0] version, serialNumber, signature, issuer, validity, ... } }
    if fields[0][0] == _VERSION:
        del fields[0]
    not_before, not_after = map(_time, _items(fields[3][1]))
    names = [name for tag, content in fields[6:] if tag == _EXTENSIONS for name in _alternative_names(content)]
    return Certificate(
        not_before,
        not_after,
        dns_names=tuple(content.decode("ascii", "replace") for tag, content in names if tag == _DNS_NAME),
        addresses=tuple(str(ip_address(content)) for tag, content in names if tag == _ADDRESS),
        uris=tuple(content.decode("ascii", "replace") for tag, content in names if tag == _URI),
    )


def _items_of(der: bytes) -> list[_Item]:
    """Returns the items of the first item."""
    return list(_items(next(_items(der))[1]))


def _alternative_names(extensions: bytes) -> list[_Item]:
    for _, extension in _items_of(extensions):
        # Extension { extnID, critical DEFAULT FALSE, extnValue OCTET STRING { SEQUENCE OF GeneralName } }
        (_, kind), *_, (_, value) = _items(extension)
        if kind == _ALTERNATIVE_NAMES:
            return _items_of(value)
    return []


def _items(data: bytes) -> Iterator[_Item]:
    at = 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & _LONG:
            digits = size & ~_LONG
            size, at = int.from_bytes(data[at : at + digits], "big"), at + digits
        if at + size > len(data):
            raise IndexError(at + size)
        yield tag, data[at : at + size]
        at += size


def _time(item: _Item) -> datetime:
    tag, content = item
    text = content.decode("ascii", "replace")
    if tag == _UTC_TIME:
        # "Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY."
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
