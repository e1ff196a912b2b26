"""The proxy between all daemons and Intercom: it knows them apart by their tokens, and can part one from Intercom.

Daemons of one workspace have the same base URL, so one proxy serves them all. It puts the sandbox's token in the place
of the daemon's own, and records when Intercom worked on each call.
"""

import asyncio
import re
import time
from typing import NamedTuple

import msgspec

from daemons.process import TOKEN
from intercom.fault_proxy import FaultProxy, read_message

_TOKEN = re.compile(rb"(?i)(\r\nauthorization: bearer )([^\r\n]+)")


class Call(NamedTuple):
    """A call about a user, with the Unix seconds in which Intercom worked on it."""

    daemon: str
    begun: float
    ended: float
    method: str
    path: str
    user: str
    """The user id or email of the user whom it names, or the id of the contact."""


def token_of(daemon: str) -> str:
    """Returns the token of a daemon."""
    return f"{TOKEN}-{daemon}"


class IntercomProxy(FaultProxy):
    """The proxy of a fleet."""

    def __init__(self, base_url: str) -> None:
        """Passes every call on until `divided` names a daemon."""
        super().__init__(base_url, seed=0)
        self.made: list[Call] = []
        """The calls about users, in the order in which they ended."""
        self.divided: set[str] = set()
        """Daemons that Intercom does not hear, and that do not hear Intercom."""
        self.held = 0
        """Calls that were held back."""

    def heal(self) -> None:
        """Passes on what was held back, unless its daemon has gone away."""
        self.divided.clear()
        self._wake()

    async def _answer(
        self,
        number: int,
        request: bytes,
        writer: asyncio.StreamWriter,
        to_reader: asyncio.StreamReader,
        to_writer: asyncio.StreamWriter,
    ) -> None:
        found = _TOKEN.search(request)
        assert found is not None
        daemon = found[2].decode().removeprefix(f"{TOKEN}-")
        if found[2].decode() == token_of(daemon):
            request = _TOKEN.sub(rb"\g<1>" + TOKEN.encode(), request, count=1)
        await self._pass(daemon)
        begun = time.time()
        to_writer.write(request)
        answer = await read_message(to_reader)
        head, _, body = request.partition(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if path.startswith(("/events", "/contacts")):
            self.made.append(Call(daemon, begun, time.time(), method, path, _user(path, body)))
        await self._pass(daemon)
        self.statuses[int(answer.split(b" ", 2)[1])] += 1
        self._open.discard(number)
        writer.write(answer)
        await writer.drain()

    async def _pass(self, daemon: str) -> None:
        if daemon in self.divided:
            self.held += 1
            self._wake()
            await self.until(lambda: daemon not in self.divided)


def _user(path: str, body: bytes) -> str:
    contact_id = path.removeprefix("/contacts/")
    if contact_id != path:
        return contact_id
    try:
        fields = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError:
        return ""
    return next((str(fields[name]) for name in ("user_id", "id", "external_id", "email") if fields.get(name)), "")
