"""Domain objects to bytes and back: our own format on disk, independent of the wire format.

One version byte, a CRC-32 of what follows, MessagePack arrays. Fields are only ever added at the end of a struct, with
a default, so that neighbouring minor releases read each other's records.
"""

import struct
from functools import cache
from typing import TypeVar
from zlib import crc32

import msgspec

from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.spool import record_0_1

VERSION = 2
"""Since 0.2. Version 1 has the records of 0.1, which `record_0_1` upgrades."""
_READABLE = (1, VERSION)
_HEADER = struct.Struct("<BI")
_HEADER_BYTES = _HEADER.size

Struct = TypeVar("Struct", bound=msgspec.Struct)

_encode = msgspec.msgpack.Encoder().encode


class RecordDamaged(IntercomdError):
    """The bytes are not what was written, or of a format that this release does not know."""


@cache
def _decoder(kind: type[Struct]) -> msgspec.msgpack.Decoder[Struct]:
    return msgspec.msgpack.Decoder(kind)


def pack(domain_object: msgspec.Struct) -> bytes:
    """Returns the domain object as a record with its checksum, for `unpack`."""
    body = _encode(domain_object)
    return _HEADER.pack(VERSION, crc32(body)) + body


def check(data: bytes) -> str:
    """Returns what is wrong with a record's bytes; empty if they are what was written."""
    if len(data) <= _HEADER_BYTES:
        return f"{len(data)} bytes are too few for a record"
    version, checksum = _HEADER.unpack_from(data)
    if version not in _READABLE:
        return f"record version {version} is not {VERSION} or 1"
    if crc32(memoryview(data)[_HEADER_BYTES:]) != checksum:
        return "the checksum does not match"
    return ""


def unpack(data: bytes, kind: type[Struct]) -> Struct:
    """Returns the domain object that `pack` wrote.

    Raises:
        RecordDamaged: the checksum or the version is wrong, or the fields are not those of `kind`.
    """
    wrong = check(data)
    if wrong:
        raise RecordDamaged(wrong)
    return decode(data, kind)


def decode(data: bytes, kind: type[Struct]) -> Struct:
    """Returns the domain object of a record that passed `check`.

    Raises:
        RecordDamaged: the fields are not those of `kind`.
    """
    try:
        body = memoryview(data)[_HEADER_BYTES:]
        if data[0] != VERSION and (upgrade := record_0_1.UPGRADES.get(kind)):
            upgraded: Struct = upgrade(body)
            return upgraded
        decoder: msgspec.msgpack.Decoder[Struct] = _decoder(kind)
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise RecordDamaged(f"not a {kind.__name__}: {error}") from error
