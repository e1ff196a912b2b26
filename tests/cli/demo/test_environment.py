"""Tests the environment of the demo."""

import asyncio
from pathlib import Path

from intercomd import Publisher
from intercomd_daemon.cli.demo import builders, personas
from intercomd_daemon.cli.demo.edge_cases import refused_by_intercom
from intercomd_daemon.cli.demo.environment import DemoEnvironment
from senders.client import NOON

KNOWN = personas.known()[0]
STEP = builders.sign_up(KNOWN, NOON)


async def test_environment_survives_rate_limit_outage_and_crash(tmp_path: Path) -> None:
    async with DemoEnvironment(tmp_path) as environment:
        first = environment.daemon.pid
        environment.use_up_budget()
        outage = asyncio.create_task(environment.outage())
        async with Publisher(environment.daemon.ingest) as publisher:
            for step in (STEP, *refused_by_intercom(NOON)):
                await publisher.publish(step.envelope)
            await environment.crash()
            await publisher.flush()
        await outage
        assert (environment.answering, environment.daemon.pid not in {0, first}) == (True, True)
        await environment.sandbox.wait_for(lambda sandbox: sandbox.events, 60.0)
        assert environment.events() == ((KNOWN.key, "signed-up", NOON),)
        assert environment.contacts()[KNOWN.key] == STEP.stored
        assert {call.subject for call in environment.calls()} == {"contacts", "events", "access"}
    assert environment.daemon.pid == 0
