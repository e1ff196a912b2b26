"""Everything that the sandbox can do to a response, with a real daemon: nothing is lost or doubled after the fault."""

from collections import Counter

import pytest

from daemons.process import Daemon
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.sandbox.faults import Action
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")
USERS = 5
FAULTS = [*(action.value for action in Action if action is not Action.ANSWER), "408", "429", "500", "503 empty"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_of_some_calls_loses_and_doubles_nothing(
    shared: Daemon, shared_sandbox: Sandbox, fault: str
) -> None:
    """Each user has an update and an event. Two calls suffer the fault, of whatever kind they are."""
    count = shared_sandbox.fault(f"* {fault} times=2")
    names = [f"{fault}-{number}".replace(" ", "-") for number in range(USERS)]
    await shared.publish(*(envelope(name, "opened", envelope_id=name, update={"plan": fault}) for name in names))
    if fault in {Action.HANG, Action.HANG_AFTER}:
        # The server restarts, so that the calls need not wait for their timeout.
        await shared_sandbox.wait_for(lambda _: count.hit == 2)
        await shared_sandbox.stop()
        await shared_sandbox.start()
    await shared.ended(names)
    assert count.hit == 2
    shared_sandbox.faults.clear()
    outcomes = [outcome for outcome in await shared.journal() if outcome.envelope_id in names]
    assert Counter(outcome.envelope_id for outcome in outcomes) == dict.fromkeys(names, 1)
    assert {outcome.type for outcome in outcomes} == {OutcomeType.OUTCOME_TYPE_DELIVERED}
    events = Counter(event.external_id for event in shared_sandbox.events if event.external_id in names)
    assert events == dict.fromkeys(names, 1)
    contacts = [contact for contact in shared_sandbox.contacts if contact.external_id in names]
    assert sorted(str(contact.external_id) for contact in contacts) == names
    assert {contact.custom_attributes["plan"] for contact in contacts} == {fault}
