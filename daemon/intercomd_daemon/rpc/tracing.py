"""An interceptor that reads the trace context of a call's metadata. Installed only while traces are on."""

from typing import Any

from google.protobuf.message import Message

from intercomd_daemon.rpc.handlers import Method
from intercomd_daemon.rpc.refused_call import Context
from intercomd_daemon.trace_context import HEADER, parse, request_traceparent


def with_trace_context(_name: str, method: Method) -> Method:
    """Sets `request_traceparent` for the call."""

    async def call(request: Any, context: Context) -> Message | None:  # noqa: ANN401 - the request of any method
        given = next((str(value) for name, value in context.invocation_metadata() or () if name == HEADER), "")
        token = request_traceparent.set(given if parse(given) else "")
        try:
            return await method(request, context)
        finally:
            request_traceparent.reset(token)

    return call
