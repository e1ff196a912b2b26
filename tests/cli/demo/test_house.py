"""Where the demo plays: what befalls the sandbox and the daemon."""

import asyncio
from pathlib import Path

from sending import NOON

from intercomd import Publisher
from intercomd_daemon.cli.demo import kinds, people
from intercomd_daemon.cli.demo.house import House
from intercomd_daemon.cli.demo.oddities import refused_by_intercom

KNOWN = people.known()[0]
STEP = kinds.sign_up(KNOWN, NOON)


async def test_budget_outage_and_crash_pass_and_intercom_tells_what_it_has(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        first = house.daemon.pid
        house.use_up_budget()
        outage = asyncio.create_task(house.outage())
        async with Publisher(house.daemon.ingest) as publisher:
            for step in (STEP, *refused_by_intercom(NOON)):
                await publisher.publish(step.envelope)
            await house.crash()
            await publisher.flush()
        await outage
        assert (house.answering, house.daemon.pid not in {0, first}) == (True, True)
        await house.sandbox.wait_for(lambda sandbox: sandbox.events, 60.0)
        assert house.events() == ((KNOWN.key, "signed-up", NOON),)
        assert house.contacts()[KNOWN.key] == STEP.stored
        assert {call.subject for call in house.calls()} == {"contacts", "events", "access"}
    assert house.daemon.pid == 0
