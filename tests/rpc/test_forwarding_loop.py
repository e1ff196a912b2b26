"""An agent refuses calls that have passed it, and remembers what the others have passed."""

import asyncio
from typing import Any

import pytest

from intercomd_daemon.errors import ForwardingLoop
from intercomd_daemon.passed_agents import HEADER, passed_agents
from intercomd_daemon.rpc.forwarding_loop import refuse_loops


class Context:
    """A call's context with metadata."""

    def __init__(self, *metadata: tuple[str, str]) -> None:
        self._metadata = metadata

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata


async def called(*metadata: tuple[str, str]) -> tuple[str, ...]:
    """Returns the agents that a call has passed, as its method sees them at the agent `own`."""
    seen: list[tuple[str, ...]] = []

    async def method(_request: Any, _context: Any) -> None:  # noqa: ANN401 - as gRPC calls it
        seen.append(passed_agents.get())

    async def call() -> None:
        await refuse_loops("own")("Publish", method)(None, Context(*metadata))  # type: ignore[arg-type]  # as much as is used

    await asyncio.create_task(call())
    return seen[0]


async def test_agent_adds_itself_to_what_a_call_has_passed() -> None:
    assert await called() == ("own",)
    assert await called((HEADER, "first,second")) == ("first", "second", "own")
    assert passed_agents.get() == ()


@pytest.mark.parametrize("passed", ["own", "first,own", "own,second"])
async def test_call_that_passed_the_agent_is_refused(passed: str) -> None:
    with pytest.raises(ForwardingLoop, match=r"the spool own .* upstream\.target"):
        await called((HEADER, passed))
