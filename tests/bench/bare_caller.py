"""The limit of delivering: a bare aiohttp loop that makes the same calls to the same server, as many at once.

It also creates the contacts that both write to.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
from envelopes import EVENT, created_at_of, metadata_of, user_of
from questions import answer_all

_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Intercom-Version": "2.16",
    "Authorization": "Bearer sandbox-token",
}


class Caller:
    """One session and the bodies to send."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._bodies: list[bytes] = []
        self._runner = asyncio.Runner()
        self._session = self._runner.run(self._open())

    async def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=_HEADERS, connector=aiohttp.TCPConnector(limit=0))

    def contacts(self, users: int) -> dict[str, Any]:
        """Creates the contacts."""
        bodies = [{"role": "user", "external_id": user_of(number, users)} for number in range(users)]
        return self._runner.run(self._post("/contacts", [json.dumps(body).encode() for body in bodies], 16))

    def prepare_events(self, first: int, count: int, users: int) -> dict[str, Any]:
        """Makes the bodies of the events of these envelopes."""
        self._bodies = [
            json.dumps(
                {
                    "event_name": EVENT,
                    "created_at": created_at_of(number, users),
                    "user_id": user_of(number, users),
                    "metadata": metadata_of(number),
                },
                separators=(",", ":"),
            ).encode()
            for number in range(first, first + count)
        ]
        return {}

    def call(self, at_once: int) -> dict[str, Any]:
        """Makes the calls."""
        return self._runner.run(self._post("/events", self._bodies, at_once))

    async def _post(self, path: str, bodies: list[bytes], at_once: int) -> dict[str, Any]:
        waiting = iter(bodies)
        statuses: set[int] = set()
        begin, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(self._one_by_one(path, waiting, statuses) for _ in range(at_once)))
        seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - used
        return {"seconds": seconds, "cpu_seconds": cpu_seconds, "statuses": sorted(statuses)}

    async def _one_by_one(self, path: str, waiting: Iterator[bytes], statuses: set[int]) -> None:
        for body in waiting:
            async with self._session.post(self._base_url + path, data=body) as response:
                await response.read()
                statuses.add(response.status)


if __name__ == "__main__":
    caller = Caller(sys.argv[1])
    answer_all({"contacts": caller.contacts, "prepare_events": caller.prepare_events, "call": caller.call})
