"""Faults on request: which calls fail, how, and how often. Decides; `server.py` performs.

The source of randomness is an argument, a function that draws from [0, 1), so that a seed makes a run repeatable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from intercomd_daemon.sandbox.http_messages import Headers, HttpResponse, error_body

HUGE_BYTES = 8 << 20
"""The default size of a huge body: more than the daemon reads."""
PAGE = b"<html><body><h1>Bad Gateway</h1></body></html>"
"""A page as gateways answer it."""
SLOW_SECONDS = 2.0
"""The default duration of a slow body."""
CODES = {
    400: ("parameter_invalid", "A fault of the sandbox refuses the call"),
    401: ("unauthorized", "Access Token Invalid"),
    402: ("api_plan_restricted", "Active subscription needed."),
    403: ("token_unauthorized", "Not authorized to access resource"),
    404: ("not_found", "User Not Found"),
    406: ("media_type_not_acceptable", "The media type is not acceptable"),
    408: ("request_timeout", "The request timed out"),
    409: ("conflict", "A fault of the sandbox refuses the call"),
    413: ("client_error", "Request Entity Too Large"),
    422: ("data_invalid", "A fault of the sandbox refuses the call"),
    429: ("rate_limit_exceeded", ""),
    503: ("service_unavailable", "Sorry, the API service is temporarily unavailable"),
}
"""Code and message of a fault with only a status; 429 has the message of the budget, other 5xx are `server_error`."""


class Action(StrEnum):
    """What a fault does besides status and delay. Those marked * do not change the workspace."""

    ANSWER = "answer"
    CUT_BEFORE = "cut-before"  # * the connection is lost before the request is processed
    CUT_AFTER = "cut-after"  # the request is processed, the answer is lost
    CUT_MIDDLE = "cut-middle"  # the request is processed, half of the answer's body arrives
    HANG = "hang"  # * neither processed nor answered, until one side disconnects
    HANG_AFTER = "hang-after"  # processed, but not answered
    EMPTY = "empty"  # no body
    NOT_JSON = "not-json"  # a gateway's HTML page with the content type of JSON
    HTML = "html"  # a page, as a proxy, a captive portal or a firewall answers
    TEXT = "text"  # a line of plain text
    OTHER_JSON = "other-json"  # JSON of another server's shape
    ERRORS = "errors"  # Intercom's list of errors, whatever the status
    TRUNCATED = "truncated"  # the first half of the body, as if it were all
    GARBLED = "garbled"  # a body labelled gzip that is not compressed
    UTF_16 = "utf-16"  # the right body in another encoding
    MARKED = "bom"  # the right body behind a byte order mark
    WRONG_TYPE = "wrong-type"  # the right body as text/html
    HUGE = "huge"  # a body of many megabytes
    SLOW = "slow"  # a body that arrives in pieces


UNTAKEN = frozenset({Action.CUT_BEFORE, Action.HANG})
UNANSWERED = frozenset({Action.CUT_BEFORE, Action.CUT_AFTER, Action.HANG, Action.HANG_AFTER})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault for calls of `method` (`*`: any) whose path starts with `path`.

    With a `status` the call gets that status and changes nothing; without one it is processed as usual, unless the
    action prevents it. `containing`: only calls with this text in their bodies. `header_bytes`: the length of an
    additional header. `after` matching calls pass, then `times` calls are hit (None: all), each with `probability`.
    """

    method: str = "*"
    path: str = "/"
    status: int | None = None
    action: Action = Action.ANSWER
    code: str | None = None
    message: str | None = None
    body: str | None = None
    headers: Headers = ()
    delay_seconds: float = 0.0
    slow_seconds: float = SLOW_SECONDS
    huge_bytes: int = HUGE_BYTES
    header_bytes: int = 0
    containing: str = ""
    times: int | None = None
    after: int = 0
    probability: float = 1.0

    @property
    def only_delays(self) -> bool:
        """Whether it only delays the call, so that another fault may hit the call as well."""
        nothing = Fault(self.method, self.path, delay_seconds=self.delay_seconds)
        return replace(self, times=None, after=0, probability=1.0) == nothing

    @property
    def takes(self) -> bool:
        """Whether the workspace processes the call."""
        return self.status is None and self.action not in UNTAKEN

    def __str__(self) -> str:
        """Returns the text that marks the calls that it hit."""
        words = [str(self.status) if self.status else "", "" if self.action is Action.ANSWER else self.action.value]
        words.append(f"delay={self.delay_seconds:g}s" if self.delay_seconds else "")
        return " ".join(word for word in words if word) or "changed"


@dataclass(slots=True)
class FaultCount:
    """A fault with the number of calls that it matched and hit."""

    fault: Fault
    matched: int = 0
    hit: int = 0


class Faults:
    """The active faults, in the order in which they were added."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self.counts: list[FaultCount] = []

    def add(self, fault: Fault) -> FaultCount:
        """Adds a fault; the returned object counts its hits."""
        count = FaultCount(fault)
        self.counts.append(count)
        return count

    def clear(self) -> None:
        """Removes all faults."""
        self.counts.clear()

    def pick(self, method: str, path: str, body: bytes = b"") -> Fault | None:
        """Returns the first fault that hits this call, with the delays of those before it; None if no fault does."""
        delay_seconds = 0.0
        for count in self.counts:
            if not self._hits(count, method, path, body):
                continue
            delay_seconds += count.fault.delay_seconds
            if not count.fault.only_delays:
                return replace(count.fault, delay_seconds=delay_seconds)
        return Fault(delay_seconds=delay_seconds) if delay_seconds else None

    def _hits(self, count: FaultCount, method: str, path: str, body: bytes) -> bool:
        fault = count.fault
        if fault.times is not None and count.hit >= fault.times:
            return False
        if fault.method not in {"*", method} or not path.startswith(fault.path):
            return False
        if fault.containing.encode() not in body:
            return False
        count.matched += 1
        if count.matched <= fault.after or (fault.probability < 1.0 and self._draw() >= fault.probability):
            return False
        count.hit += 1
        return True


def fault_answer(fault: Fault, request_id: str, rate_message: str) -> HttpResponse:
    """Returns the answer of a fault with a status; status 0 leaves the call unanswered."""
    if fault.status is None:
        return HttpResponse(0)
    code, message = CODES.get(fault.status, ("server_error", "A fault of the sandbox fails the call"))
    if fault.status == 429:
        message = rate_message
    code = fault.code or code
    message = message if fault.message is None else fault.message
    body = b"" if fault.status in {202, 204} else error_body(request_id, code, message)
    return HttpResponse(fault.status, body)


_BODIES: Mapping[Action, Callable[[bytes], bytes]] = {
    Action.EMPTY: lambda _: b"",
    Action.NOT_JSON: lambda _: PAGE,
    Action.HTML: lambda _: PAGE,
    Action.TEXT: lambda _: b"no healthy upstream",
    Action.OTHER_JSON: lambda _: b'{"message":"no route matched","status":"error"}',
    Action.ERRORS: lambda _: error_body("", "server_error", "A fault of the sandbox fails the call"),
    Action.TRUNCATED: lambda body: body[: len(body) // 2],
    Action.GARBLED: lambda _: b"\x1f\x8bno gzip",
    Action.UTF_16: lambda body: body.decode().encode("utf-16"),
    Action.MARKED: lambda body: b"\xef\xbb\xbf" + body,
}
_HEADERS: Mapping[Action, Headers] = {
    Action.WRONG_TYPE: (("Content-Type", "text/html"),),
    Action.HTML: (("Content-Type", "text/html"),),
    Action.TEXT: (("Content-Type", "text/plain"),),
    Action.GARBLED: (("Content-Encoding", "gzip"),),
}


def corrupt_answer(fault: Fault, answer: HttpResponse) -> HttpResponse:
    """Changes body and headers of an answer as the fault demands."""
    body = answer.body if fault.body is None else fault.body.encode()
    if fault.action is Action.HUGE:
        body = b'{"type":"' + b"x" * fault.huge_bytes + b'"}'
    elif fault.action in _BODIES:
        body = _BODIES[fault.action](body)
    headers = answer.headers + _HEADERS.get(fault.action, ()) + fault.headers
    if fault.header_bytes:
        headers += (("X-Padding", "x" * fault.header_bytes),)
    return replace(answer, body=body, headers=headers)
