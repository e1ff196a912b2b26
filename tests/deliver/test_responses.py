"""Whatever another server responds in Intercom's place, an envelope ends as delivered only if Intercom has it."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from clock.virtual import VirtualLoop
from delivery.fault_play import Play
from delivery.worker import envelope, row
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.outcome import EffectKind, Outcome, OutcomeType
from intercomd_daemon.sandbox.faults import Action

HOUR = 3600.0
USERS = ("u1", "u2", "u3", "u4")
STATUSES = [
    "",
    *map(str, (200, 201, 202, 204, 206, 299, 300, 302, 304, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409)),
]
STATUSES += map(
    str, (410, 411, 413, 415, 418, 421, 422, 423, 425, 426, 428, 429, 431, 451, 499, 500, 502, 503, 504, 511)
)
ACTIONS = [str(action) for action in Action if action not in {Action.ANSWER, Action.HUGE}]
NO_RESPONSE = {"cut-before", "cut-after", "hang", "hang-after"}
HEADERS = [
    "",
    "header=Content-Type:text/html",
    "header=Content-Encoding:br",
    "header=Content-Encoding:gzip",
    "header-size=9000B",
    "header=Retry-After:1",
    "header=Location:/login",
]
BODIES = ["", 'body=""', "body=OK", "body=null", "body=[]", "body={}", "body='{\"id\":null}'", "body='{\"id\":7}'"]
BODIES += ['body=\'{"id":"other","type":"contact"}\'', 'body=\'{"type":"error.list"}\'', "body='<!doctype html>'"]
# A 202 to an event counts as Intercom's: one of another server cannot be detected.
TRUSTED = {(Call.TRACK_EVENT, "202")}


@st.composite
def faults(draw: st.DrawFn) -> tuple[Call, str]:
    """A call and a fault of its responses, in the sandbox's notation."""
    call, status = draw(st.sampled_from(Call)), draw(st.sampled_from(STATUSES))
    action, header, body = (draw(st.sampled_from(some)) for some in (["", *ACTIONS], HEADERS, BODIES))
    if status and action in NO_RESPONSE:
        status = ""
    if (call, status) in TRUSTED:
        status = "200"
    if call in {Call.CREATE_CONTACT, Call.UNARCHIVE_CONTACT} and "other" in body:
        body = ""
    return call, " ".join(filter(None, [status, action, header, body])) or "delay=0s"


def has(play: Play, outcome: Outcome) -> bool:
    """Whether Intercom has everything that the outcome reports."""
    user = outcome.customer_id
    for effect in outcome.effects:
        if effect.type not in {OutcomeType.DELIVERED, OutcomeType.UNCHANGED}:
            continue
        if effect.kind is EffectKind.EVENT:
            found = any(event.external_id == user for event in play.sandbox.events)
        else:
            dropped = any(note.reason == "ATTRIBUTE_DROPPED" for note in outcome.adjustments)
            known = [contact for contact in play.sandbox.contacts if contact.external_id == user]
            found = any(dropped or contact.custom_attributes.items() >= play.scene.says.items() for contact in known)
        if not found:
            return False
    return True


@settings(max_examples=120, deadline=None)
@given(faults(), st.sampled_from([1, 3, 1_000_000]))
def test_delivered_envelopes_are_in_intercom_whatever_responds(fault: tuple[Call, str], times: int) -> None:
    async def act() -> None:
        call, how = fault
        async with Play(call, how, USERS, times) as play:
            try:
                await play.notes.until(lambda notes: len(notes.outcomes) == len(USERS), 60.0)
            except TimeoutError:
                assert all(has(play, outcome) for outcome in play.notes.outcomes)
            play.lift()
            await play.notes.until(lambda notes: len(notes.outcomes) == len(USERS), 2 * HOUR)
            assert all(has(play, outcome) for outcome in play.notes.outcomes)
            await play.spool.append([row(envelope(f"again {user}", user, dict(play.scene.says))) for user in USERS])
            said = bool(play.scene.says)
            await play.notes.until(lambda notes: len(notes.outcomes) == (1 + said) * len(USERS), 2 * HOUR)
            assert all(has(play, outcome) for outcome in play.notes.outcomes)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(act())
