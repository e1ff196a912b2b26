"""Calls with a wrong token at a fixed rate, over one connection, for as little processor time as a client can take.

It writes HTTP/2 frames that are encoded beforehand and only counts the ends of the responses: a gRPC client would need
more of the machine than the daemon's refusals do.
"""

import selectors
import socket
import struct
import sys
import time
from typing import Any

from envelopes import batches
from questions import answer_all

from intercomd.v1.ingest_pb2 import PublishRequest

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING = 0x0, 0x1, 0x4, 0x6
_ACK = _END_STREAM = 0x1
_END_HEADERS = 0x4
_READ_BYTES = 1 << 16


class Offender:
    """One connection with its next stream's number."""

    def __init__(self, target: str, token: str) -> None:
        host, _, port = target.rpartition(":")
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": "/intercomd.v1.IngestService/Publish",
            ":authority": target,
            "te": "trailers",
            "content-type": "application/grpc",
            "authorization": f"Bearer {token}",
        }
        self._headers = b"".join(_literal(name.encode(), value.encode()) for name, value in headers.items())
        request = PublishRequest(envelopes=next(iter(batches(0, 1, 1)))).SerializeToString()
        self._message = b"\0" + struct.pack(">I", len(request)) + request
        self._stream = 1
        self._rest = b""
        self._ended = 0
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)

    def offend(self, per_second: float, count: int) -> dict[str, Any]:
        """Makes calls at fixed times, whether or not earlier ones are answered; returns how many were answered."""
        self._ended = 0
        used = time.process_time()
        begin = time.monotonic()
        for number in range(count):
            self._read_until(begin + number / per_second)
            self._call()
        late = time.monotonic() - begin - count / per_second
        deadline = time.monotonic() + 10
        while self._ended < count and time.monotonic() < deadline:
            self._read_until(time.monotonic() + 0.01)
        return {"answered": self._ended, "cpu_seconds": time.process_time() - used, "late_seconds": late}

    def _call(self) -> None:
        stream, self._stream = self._stream, self._stream + 2
        self._socket.sendall(
            _frame(_HEADERS, _END_HEADERS, stream, self._headers) + _frame(_DATA, _END_STREAM, stream, self._message)
        )

    def _read_until(self, at: float) -> None:
        while (seconds := at - time.monotonic()) > 0:
            if self._selector.select(seconds):
                self._read()

    def _read(self) -> None:
        received = self._socket.recv(_READ_BYTES)
        if not received:
            raise RuntimeError("the server closed the connection")
        data = self._rest + received
        at = 0
        while len(data) - at >= 9:
            size = int.from_bytes(data[at : at + 3], "big")
            if len(data) - at - 9 < size:
                break
            kind, flags = data[at + 3], data[at + 4]
            if kind == _HEADERS and flags & _END_STREAM:
                self._ended += 1
            elif kind in {_SETTINGS, _PING} and not flags & _ACK:
                payload = data[at + 9 : at + 9 + size] if kind == _PING else b""
                self._socket.sendall(_frame(kind, _ACK, 0, payload))
            at += 9 + size
        self._rest = data[at:]


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """Returns a header field as HPACK's "literal header field without indexing", without Huffman's code."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


if __name__ == "__main__":
    answer_all({"offend": Offender(*sys.argv[1:]).offend})
