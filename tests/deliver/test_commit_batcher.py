"""Results are committed together, in virtual time: at once after the last one, else a little after the first one."""

from collections.abc import Awaitable, Callable

import pytest

from clock.virtual import VirtualLoop, run_virtually
from intercomd_daemon.deliver.commit_batcher import BATCH_WAIT_SECONDS, CommitBatcher


class Commits:
    """Records what was committed, and when."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.made: list[tuple[float, list[str]]] = []
        self.batcher: CommitBatcher[str] = CommitBatcher(lambda results: self.made.append((loop.time(), results)))


def played(play: Callable[[Commits], Awaitable[None]]) -> None:
    async def main(loop: VirtualLoop) -> None:
        await play(Commits(loop))

    run_virtually(main)


def test_last_result_is_committed_at_once_with_the_others() -> None:
    async def play(commits: Commits) -> None:
        for result in "abc":
            commits.batcher.add(result, last=True)
        assert len(commits.batcher) == 3
        await commits.loop.passes(0)
        assert commits.made == [(0.0, ["a", "b", "c"])]
        assert not commits.batcher

    played(play)


@pytest.mark.fills("deliver.commit_batcher.BATCH_WAIT_SECONDS")
def test_results_wait_at_most_linger_seconds_after_the_first() -> None:
    async def play(commits: Commits) -> None:
        commits.batcher.add("a", last=False)
        await commits.loop.passes(BATCH_WAIT_SECONDS / 2)
        commits.batcher.add("b", last=False)
        await commits.loop.passes(BATCH_WAIT_SECONDS)
        assert commits.made == [(pytest.approx(BATCH_WAIT_SECONDS), ["a", "b"])]
        commits.batcher.add("c", last=False)
        await commits.loop.passes(BATCH_WAIT_SECONDS * 2)
        assert [results for _, results in commits.made] == [["a", "b"], ["c"]]

    played(play)


def test_last_result_ends_the_wait() -> None:
    async def play(commits: Commits) -> None:
        commits.batcher.add("a", last=False)
        await commits.loop.passes(BATCH_WAIT_SECONDS / 4)
        commits.batcher.add("b", last=True)
        await commits.loop.passes(BATCH_WAIT_SECONDS * 2)
        assert commits.made == [(pytest.approx(BATCH_WAIT_SECONDS / 4), ["a", "b"])]

    played(play)
