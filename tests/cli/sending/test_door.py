"""The door for senders: whether an intercomd is behind an address."""

import pytest
from daemons import Daemon
from sending import envelope

from intercomd.v1.ingest_pb2 import PreviewRequest
from intercomd_daemon.cli.failures import Failed
from intercomd_daemon.cli.sending.door import open_door

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_behind_it_previews_are_answered(daemon: Daemon) -> None:
    async with open_door(daemon.ingest_address) as door:
        answer = await door.preview(PreviewRequest(envelopes=[envelope("1", "opened")]))
    assert [request.path for request in answer.previews[0].requests] == ["/events"]


async def test_the_operations_address_is_not_it(daemon: Daemon) -> None:
    with pytest.raises(Failed, match="is not intercomd's target address"):
        async with open_door(daemon.operations_address):
            pass


async def test_where_nobody_is_that_is_said_with_the_remedy() -> None:
    with pytest.raises(Failed, match="--target ADDR"):
        async with open_door("unix:/nowhere"):
            pass
