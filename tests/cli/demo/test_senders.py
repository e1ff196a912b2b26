"""The services of the demo."""

from pathlib import Path

from daemons import Daemon
from sending import NOON

from intercomd.v1 import ingest_pb2
from intercomd_daemon.cli.demo import kinds, oddities, people
from intercomd_daemon.cli.demo.senders import Senders
from intercomd_daemon.sandbox import Sandbox

ADA = people.person(0)


async def test_each_step_is_answered_in_the_order_of_its_sender(tmp_path: Path) -> None:
    by_sender = {"one": [kinds.sign_up(ADA, NOON), *oddities.skipped(ADA, NOON)], "two": oddities.rejected(NOON)[:2]}
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        senders = Senders(daemon.ingest_address)
        await senders.send(by_sender)
        await daemon.close()
    assert senders.published == 6
    assert [answered.step for answered in senders.answered] == [*by_sender["one"], *by_sender["two"]]
    accepted, skipped, rejected = (
        ingest_pb2.DISPOSITION_ACCEPTED,
        ingest_pb2.DISPOSITION_SKIPPED,
        ingest_pb2.DISPOSITION_REJECTED,
    )
    assert [answered.result.disposition for answered in senders.answered] == [accepted, *3 * [skipped], *2 * [rejected]]
    assert senders.dispositions == {accepted: 1, skipped: 3, rejected: 2}
