"""The outcomes of a daemon as they are committed, read on after its restarts without a gap."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import grpc

from intercomd.retry import PASSING
from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations

RETRY_SECONDS = 0.5
"""Between attempts to reach a daemon that has gone away: a restart takes about a second."""


async def newest_sequence(stub: Operations) -> int:
    """The sequence of the newest outcome; 0 if there is none yet."""
    listed = await stub.ListOutcomes(messages.ListOutcomesRequest(page_size=1), timeout=CALL_SECONDS)
    return listed.outcomes[0].sequence if listed.outcomes else 0


async def follow(
    stub: Operations,
    wanted: messages.OutcomeFilter,
    after: int,
    patience_seconds: float,
    tell: Callable[[str], None],
) -> AsyncGenerator[messages.WatchOutcomesResponse, None]:
    """Outcomes that end after a sequence, and how many were missed, without end.

    Args:
        stub: the daemon.
        wanted: which outcomes.
        after: the sequence to go on after; 0: from the oldest that the journal holds.
        patience_seconds: how long to wait for a daemon that has gone away.
        tell: hears, in words, that it has gone and that it is back.

    Raises:
        grpc.aio.AioRpcError: the daemon refuses, or was away for too long.
    """
    gone_since = None
    loop = asyncio.get_running_loop()
    while True:
        call = stub.WatchOutcomes(messages.WatchOutcomesRequest(filter=wanted, after_sequence=after))
        try:
            async for answer in call:
                after = answer.outcome.sequence or after + answer.missed_count
                yield answer
                gone_since = None
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING:
                raise
            if gone_since is None:
                gone_since = loop.time()
                tell("the daemon has gone away; waiting for it")
            if loop.time() - gone_since >= patience_seconds:
                raise
        finally:
            call.cancel()
        await asyncio.sleep(RETRY_SECONDS)
