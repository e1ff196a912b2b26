"""The record of what came in: every call, the newest so many, and those that Intercom's description does not allow.

Headers are not recorded, so that no token ever stands in it.
"""

from collections import deque
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct


class Call(Struct, gc=False):
    """A call as the sandbox took it. `status` 0: never answered; `ended` 0: not answered yet; times are Unix seconds.

    `taken`: the workspace saw it, so it had whatever effect its status says. `fault`: what it was made to suffer.
    `illegal`: what Intercom's description does not allow in it. `number` counts from 1.
    """

    number: int
    time: float
    method: str
    path: str
    query_string: str
    body: bytes
    version: str
    status: int
    request_id: str
    taken: bool
    fault: str
    illegal: str
    ended: float = 0.0

    @property
    def json(self) -> Any:  # noqa: ANN401 -- a body is whatever JSON holds
        """The body, read; None where there is none, or where it is not JSON."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except msgspec.DecodeError:
            return None

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    def as_json(self) -> dict[str, Any]:
        """Give it as `/_sandbox/calls` shows it."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in {"body", "query_string"}}
        return shown | {"query": self.query, "json": self.json}


class Calls:
    """The newest calls and the newest illegal ones, and how many there were in all."""

    def __init__(self, *, calls_max: int, illegal_max: int) -> None:
        self._calls: deque[Call] = deque(maxlen=calls_max)
        self._illegal: deque[Call] = deque(maxlen=illegal_max)
        self.count = 0

    def add(self, call: Call) -> None:
        """Record a call."""
        self.count += 1
        self._calls.append(call)
        if call.illegal:
            self._illegal.append(call)

    def all(self) -> list[Call]:
        """The calls that are remembered, oldest first."""
        return list(self._calls)

    def illegal(self) -> list[Call]:
        """Those that Intercom's description does not allow, oldest first."""
        return list(self._illegal)
