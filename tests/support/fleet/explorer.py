"""Visits every state of a model that can be reached, and finds the shortest way to a forbidden one."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, TypeVar

State = TypeVar("State", bound=Hashable)
Step = tuple[str, State]
"""What happens, and the state after it."""


class Explored(NamedTuple):
    """The result of a search."""

    states: int
    violation: str
    """The broken law; empty if no state breaks one."""
    trace: tuple[str, ...]
    """The steps that lead there."""
    steps: frozenset[str]
    """The first word of every step that was taken somewhere."""


def explore(initial: State, following: Callable[[State], Iterable[Step]], broken: Callable[[State], str]) -> Explored:
    """Searches breadth first; `broken` names the law that a state breaks."""
    came: dict[State, tuple[State, str] | None] = {initial: None}
    waiting = deque([initial])
    steps: set[str] = set()
    while waiting:
        state = waiting.popleft()
        if violation := broken(state):
            return Explored(len(came), violation, _trace(came, state), frozenset(steps))
        for step, after in following(state):
            steps.add(step.split()[0])
            if after not in came:
                came[after] = (state, step)
                waiting.append(after)
    return Explored(len(came), "", (), frozenset(steps))


def _trace(came: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    steps: list[str] = []
    while (origin := came[state]) is not None:
        state, step = origin
        steps.append(step)
    return tuple(reversed(steps))
