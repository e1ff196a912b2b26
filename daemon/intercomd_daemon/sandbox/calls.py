"""The record of received calls: the newest ones, and those that Intercom's description does not allow.

Headers are not recorded, so that the record never holds a token.
"""

from collections import deque
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct


class ReceivedCall(Struct, gc=False):
    """A received call. `status` 0: never answered; `ended` 0.0: not answered yet; times are Unix seconds.

    `taken`: the workspace processed it. `fault`: the fault that hit it. `illegal`: why Intercom's description does not
    allow it. `number` counts from 1.
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
    def json(self) -> Any:  # noqa: ANN401 - a body is whatever JSON holds
        """The decoded body; None if it is empty or not JSON."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except msgspec.DecodeError:
            return None

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    def as_json(self) -> dict[str, Any]:
        """Returns the call as `/_sandbox/calls` shows it."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in {"body", "query_string"}}
        return shown | {"query": self.query, "json": self.json}


class Calls:
    """The newest calls, the newest illegal ones, and the number of all calls."""

    def __init__(self, *, calls_max: int, illegal_max: int) -> None:
        self._calls: deque[ReceivedCall] = deque(maxlen=calls_max)
        self._illegal: deque[ReceivedCall] = deque(maxlen=illegal_max)
        self.count = 0

    def add(self, call: ReceivedCall) -> None:
        """Records a call."""
        self.count += 1
        self._calls.append(call)
        if call.illegal:
            self._illegal.append(call)

    def all(self) -> list[ReceivedCall]:
        """Returns the recorded calls, oldest first."""
        return list(self._calls)

    def illegal(self) -> list[ReceivedCall]:
        """Returns the recorded calls that Intercom's description does not allow, oldest first."""
        return list(self._illegal)
