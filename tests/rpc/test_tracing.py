"""The trace context of a call's metadata."""

import pytest

from intercomd_daemon.rpc.tracing import with_trace_context
from intercomd_daemon.trace_context import request_traceparent

VALID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Context:
    """A call's context with metadata."""

    def __init__(self, *metadata: tuple[str, str]) -> None:
        self._metadata = metadata

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata


@pytest.mark.parametrize(
    ("metadata", "seen"),
    [
        ((), ""),
        ((("traceparent", VALID),), VALID),
        ((("other", "x"), ("traceparent", VALID)), VALID),
        ((("traceparent", "nonsense"),), ""),
    ],
)
async def test_context_of_the_metadata_is_that_of_the_call_alone(
    metadata: tuple[tuple[str, str], ...], seen: str
) -> None:
    found: list[str] = []

    async def method(_request: object, _context: object) -> None:
        found.append(request_traceparent.get())

    await with_trace_context("Publish", method)(None, Context(*metadata))  # type: ignore[arg-type]  # as much as is used
    assert (found, request_traceparent.get()) == ([seen], "")
