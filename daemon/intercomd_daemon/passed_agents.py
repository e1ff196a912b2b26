"""The agents that a call has passed, listed in its metadata: an agent that finds itself there is in a loop. Pure.

Two agents whose `upstream.target` leads to each other would each take the other for the gateway. An envelope would come
back to the first agent as a duplicate: both would report it as forwarded, and no daemon would deliver it.
"""

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Final

HEADER: Final = "intercomd-agents"
AGENTS_MAX = 16
"""Agents that a call may pass. Chains are short; a longer one is refused as a loop."""

passed_agents: ContextVar[tuple[str, ...]] = ContextVar("passed_agents", default=())
"""At an agent, the ids of the agents that the current call has passed, its own last; empty outside a call."""


def read_passed(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[str, ...]:
    """Returns the ids of the agents in the metadata of a call."""
    given = next((str(value) for name, value in metadata if name == HEADER), "")
    return tuple(given.split(",")) if given else ()


def is_loop(passed: Sequence[str], agent_id: str) -> bool:
    """Returns whether an agent must not pass a call on."""
    return agent_id in passed or len(passed) >= AGENTS_MAX


def header_of(agents: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a call that has passed these agents."""
    return ((HEADER, ",".join(agents)),) if agents else ()
