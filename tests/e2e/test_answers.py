"""Another server answers in Intercom's place, for everybody or for one payload: a real daemon loses nothing."""

import pytest

from daemons.process import Daemon, Start
from intercomd.v1.operations_pb2 import ConnectionState
from intercomd.v1.outcome_pb2 import OutcomeType
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

SUSPENDED = ConnectionState.CONNECTION_STATE_SUSPENDED
EVERYWHERE = ["200 html", "200", "204", "200 other-json", "200 text", "302 html", "400 html", "401 html", "403 html"]
EVERYWHERE += [
    "404 html",
    "405 html",
    "407 html",
    "421 html",
    "431 html",
    "451 html",
    "400 other-json",
    "200 truncated",
    "410 empty",
    "411 empty",
    "418 empty",
    "451 empty",
    "499 empty",
]


async def outcomes(daemon: Daemon) -> dict[str, tuple[int, str]]:
    return {outcome.envelope_id: (outcome.type, outcome.reason) for outcome in await daemon.journal()}


@pytest.mark.parametrize("fault", EVERYWHERE)
async def test_answer_of_another_server_suspends_and_keeps_everything(
    start: Start, sandbox: Sandbox, fault: str
) -> None:
    daemon = await start()
    await daemon.heard("connection", state="delivering")
    sandbox.fault(f"* {fault}")
    names = [f"kept-{number}" for number in range(20)]
    await daemon.publish(*(envelope(name, "Opened", envelope_id=name, update={"plan": "pro"}) for name in names))
    line = await daemon.heard("connection", state="suspended")
    assert "NOT_INTERCOM" in str(line)
    status = await daemon.connection()
    assert (status.state, status.suspended_reason) == (SUSPENDED, "NOT_INTERCOM")
    assert await outcomes(daemon) == {}
    sandbox.faults.clear()
    await daemon.ended(names)
    assert set((await outcomes(daemon)).values()) == {(OutcomeType.OUTCOME_TYPE_DELIVERED, "")}
    assert sorted(event.external_id or "" for event in sandbox.events) == sorted(names)
    assert {contact.custom_attributes["plan"] for contact in sandbox.contacts} == {"pro"}


@pytest.mark.parametrize("fault", ["200 html", "204", "200", "other-json", "truncated", "cut-middle", "201 empty"])
async def test_value_is_sent_again_after_an_answer_of_another_server(
    daemon: Daemon, sandbox: Sandbox, fault: str
) -> None:
    await daemon.publish(envelope("u", envelope_id="first", update={"plan": "free"}))
    await daemon.ended(["first"])
    sandbox.fault(f"PUT /contacts {fault} times=1")
    await daemon.publish(envelope("u", envelope_id="second", update={"plan": "pro"}))
    await daemon.ended(["second"])
    await daemon.publish(envelope("u", envelope_id="third", update={"plan": "pro"}))
    await daemon.ended(["third"])
    assert [contact.custom_attributes["plan"] for contact in sandbox.contacts] == ["pro"]
    assert {type_ for type_, _ in (await outcomes(daemon)).values()} <= {
        OutcomeType.OUTCOME_TYPE_DELIVERED,
        OutcomeType.OUTCOME_TYPE_UNCHANGED,
    }


@pytest.mark.parametrize("body", ["empty", "truncated", "html", "utf-16", "garbled", "text"])
async def test_unreadable_conflict_is_retried(daemon: Daemon, sandbox: Sandbox, body: str) -> None:
    sandbox.workspace.add_contact("u")
    sandbox.fault(f"POST /contacts {body} times=2")
    await daemon.publish(envelope("u", envelope_id="one", update={"plan": "pro"}))
    await daemon.ended(["one"])
    assert await outcomes(daemon) == {"one": (OutcomeType.OUTCOME_TYPE_DELIVERED, "")}
    assert [contact.custom_attributes["plan"] for contact in sandbox.contacts] == ["pro"]


@pytest.mark.parametrize(
    "fault",
    ["header-size=9000B", "header-size=60000B", "empty header=Content-Encoding:br", "garbled", "cut-middle", "text"],
)
async def test_202_settles_an_event_whatever_its_body(daemon: Daemon, sandbox: Sandbox, fault: str) -> None:
    sandbox.workspace.add_contact("u")
    sandbox.fault(f"POST /events {fault}")
    await daemon.publish(envelope("u", "Opened", envelope_id="one"))
    await daemon.ended(["one"])
    assert await outcomes(daemon) == {"one": (OutcomeType.OUTCOME_TYPE_DELIVERED, "")}
    assert [call.path for call in sandbox.calls].count("/events") == 1


@pytest.mark.parametrize("fault", ["403 html", "403 empty", "403 text", "403 code=action_forbidden", "403"])
async def test_payload_refused_by_a_firewall_is_dead_lettered_alone(start: Start, sandbox: Sandbox, fault: str) -> None:
    daemon = await start()
    for number in range(30):
        sandbox.workspace.add_contact(f"u{number}")
    sandbox.fault(f'POST /events {fault} containing="<script"')
    await daemon.publish(envelope("u0", "Typed", envelope_id="poison", metadata={"text": "<script>"}))
    await daemon.publish(envelope("u0", "Opened", at=1, envelope_id="after it"))
    sent, count = ["poison", "after it"], 0
    while "poison" not in await outcomes(daemon):
        count += 1
        sent.append(f"other {count}")
        await daemon.publish(envelope(f"u{1 + count % 29}", "Opened", at=count, envelope_id=sent[-1]))
        await daemon.ended(sent[-1:])
    await daemon.ended(sent)
    ended = await outcomes(daemon)
    assert ended.pop("poison") == (OutcomeType.OUTCOME_TYPE_DEAD_LETTERED, "FORBIDDEN")
    assert set(ended.values()) == {(OutcomeType.OUTCOME_TYPE_DELIVERED, "")}
    # Three in a row, and further ones only until another user's call has proven the access.
    assert 3 <= [call.status for call in sandbox.calls].count(403) <= 5
    if fault != "403":  # That code is about the token: GET /me decides.
        assert not daemon.logged("connection", state="suspended")


@pytest.mark.parametrize("fault", ["403", "404", "405 empty", "400"])
async def test_attribute_missing_for_many_users_at_once_is_created(start: Start, sandbox: Sandbox, fault: str) -> None:
    """Without the list of attributes a 400 shows what is missing, and all users' calls may be in flight then."""
    daemon = await start()
    sandbox.fault(f"GET /data_attributes {fault}")
    sandbox.fault("POST /contacts delay=200ms times=20")
    names = [f"u{number}" for number in range(20)]
    await daemon.publish(*(envelope(name, "Opened", envelope_id=name, update={"plan": "pro"}) for name in names))
    await daemon.ended(names)
    assert set((await outcomes(daemon)).values()) == {(OutcomeType.OUTCOME_TYPE_DELIVERED, "")}
    assert [contact.custom_attributes for contact in sandbox.contacts] == [{"plan": "pro"}] * 20
    assert [call.path for call in sandbox.calls if call.method == "POST"].count("/data_attributes") == 1
