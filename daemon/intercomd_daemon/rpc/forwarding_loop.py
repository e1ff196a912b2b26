"""An interceptor of agents that refuses a call which has passed this agent before."""

from collections.abc import Awaitable
from typing import Any

from google.protobuf.message import Message

from intercomd_daemon.errors import ForwardingLoop
from intercomd_daemon.passed_agents import is_loop, passed_agents, read_passed
from intercomd_daemon.rpc.handlers import Interceptor, Method
from intercomd_daemon.rpc.refused_call import Context


def refuse_loops(agent_id: str) -> Interceptor:
    """Returns an interceptor for the agent with this id, which also sets `passed_agents` for the call."""

    def intercept(_name: str, method: Method) -> Method:
        def call(request: Any, context: Context) -> Awaitable[Message | None]:  # noqa: ANN401 - of any method
            passed = read_passed(context.invocation_metadata() or ())
            if is_loop(passed, agent_id):
                raise ForwardingLoop(agent_id)
            passed_agents.set((*passed, agent_id))  # gRPC runs each call in a task, with a context of its own.
            return method(request, context)

        return call

    return intercept
