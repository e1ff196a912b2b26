"""The senders of a row, in a process of their own: several callers, a stream, or a fixed rate.

Their own work is not measured: requests are encoded before the clock starts, and responses are decoded after it has
stopped.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from envelopes import batches, event_alone
from questions import answer_all

from intercomd.v1.ingest_pb2 import PublishRequest, PublishResponse, PublishStreamRequest, PublishStreamResponse

_ACCEPTED = 1


class Sender:
    """One channel and the requests to send over it."""

    def __init__(self, target: str, ca_file: str = "", token: str = "") -> None:
        """With `ca_file` it calls over TLS; `token` is sent with each call."""
        self._runner = asyncio.Runner()
        self._target = target
        self._ca_file = ca_file
        self._metadata = (("authorization", f"Bearer {token}"),) if token else None
        self._publish: Any = None
        self._publish_stream: Any = None
        self._requests: list[bytes] = []
        self._runner.run(self._open())

    async def _open(self) -> None:
        if self._ca_file:
            credentials = grpc.ssl_channel_credentials(Path(self._ca_file).read_bytes())  # noqa: ASYNC240 - once
            channel = grpc.aio.secure_channel(self._target, credentials)
        else:
            channel = grpc.aio.insecure_channel(self._target)
        self._publish = channel.unary_unary("/intercomd.v1.IngestService/Publish")
        self._publish_stream = channel.stream_stream("/intercomd.v1.IngestService/PublishStream")

    def prepare(self, first: int, count: int, size: int, *, stream: bool = False) -> dict[str, Any]:
        """Encodes `count` requests of `size` envelopes each."""
        made = enumerate(batches(first, count, size), 1)
        self._requests = [
            (
                PublishStreamRequest(sequence=sequence, envelopes=batch) if stream else PublishRequest(envelopes=batch)
            ).SerializeToString()
            for sequence, batch in made
        ]
        return {}

    def prepare_events(self, first: int, count: int, size: int, users: int) -> dict[str, Any]:
        """Encodes requests of envelopes that take one call each."""
        self._requests = [
            PublishRequest(
                envelopes=[event_alone(number, users) for number in range(at, at + size)]
            ).SerializeToString()
            for at in range(first, first + count * size, size)
        ]
        return {}

    def call(self, callers: int) -> dict[str, Any]:
        """Calls with several callers; each sends its next request after the response to the last one."""
        return self._runner.run(self._call(callers))

    async def _call(self, callers: int) -> dict[str, Any]:
        waiting = iter(self._requests)
        begin = time.perf_counter()
        answers = await asyncio.gather(*(self._caller(waiting) for _ in range(callers)))
        seconds = time.perf_counter() - begin
        each = (PublishResponse.FromString(answer) for of_caller in answers for answer in of_caller)
        return {"seconds": seconds, "accepted": _accepted(each)}

    async def _caller(self, waiting: Iterator[bytes]) -> list[bytes]:
        return [await self._publish(request, metadata=self._metadata) for request in waiting]

    def stream(self) -> dict[str, Any]:
        """Sends all requests over one stream and reads the responses as they come."""
        return self._runner.run(self._stream())

    async def _stream(self) -> dict[str, Any]:
        begin = time.perf_counter()
        answers = [answer async for answer in self._publish_stream(_each(self._requests))]
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "accepted": _accepted(map(PublishStreamResponse.FromString, answers))}

    def beat(self, per_second: float) -> dict[str, Any]:
        """Sends requests at fixed times, whether or not earlier ones are answered; returns the milliseconds of each."""
        return self._runner.run(self._beat(per_second))

    async def _beat(self, per_second: float) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        begin = loop.time() + 0.1
        taken = [self._one(request, begin + number / per_second, loop) for number, request in enumerate(self._requests)]
        return {"milliseconds": await asyncio.gather(*taken)}

    async def _one(self, request: bytes, at: float, loop: asyncio.AbstractEventLoop) -> float:
        due = loop.create_future()
        loop.call_at(at, due.set_result, None)
        await due
        begin = time.perf_counter()  # A timer rings up to a millisecond late, which is not the daemon's.
        with suppress(grpc.aio.AioRpcError):  # An offender is refused.
            await self._publish(request, metadata=self._metadata)
        return (time.perf_counter() - begin) * 1000


async def _each(requests: list[bytes]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


def _accepted(answers: Iterable[Any]) -> int:
    return sum(result.disposition == _ACCEPTED for answer in answers for result in answer.results)


if __name__ == "__main__":
    sender = Sender(*sys.argv[1:])
    answer_all(
        {
            "prepare": sender.prepare,
            "prepare_events": sender.prepare_events,
            "call": sender.call,
            "stream": sender.stream,
            "beat": sender.beat,
        }
    )
