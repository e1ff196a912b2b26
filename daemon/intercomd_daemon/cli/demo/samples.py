"""Examples for the end of the demo: an envelope as it was sent, and the calls as Intercom got them."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from intercomd_daemon.cli.demo.step import Fate, Step
from intercomd_daemon.cli.output import message_to_json
from intercomd_daemon.sandbox import Call, Sandbox

SHOWN = ("signed-up", "invoice-paid", "eCommerce - purchase - Total")
"""One envelope for each of these events."""


class Sample(NamedTuple):
    """One envelope."""

    kind: str
    envelope: str
    """As JSON."""
    calls: tuple[str, ...]
    """Method, path, body and status."""


def samples(steps: Iterable[Step], sandbox: Sandbox) -> list[Sample]:
    """Of those that became each of the shown events, the one that became the most."""
    found = []
    delivered = [step for step in steps if step.fate is Fate.DELIVERED]
    for shown in SHOWN:
        step = max((step for step in delivered if shown in dict(step.events)), key=_size)
        envelope = json.dumps(message_to_json(step.envelope, every_field=False), separators=(",", ":"))
        found.append(Sample(step.kind, envelope, tuple(_written(call) for call in _calls(step, sandbox))))
    return found


def _size(step: Step) -> tuple[int, int]:
    return len(step.events), step.envelope.ByteSize()


def _calls(step: Step, sandbox: Sandbox) -> Sequence[Call]:
    """Those that Intercom took for it: of its contact, where it says something of that, and of its events."""
    by_request = {call.request_id: call for call in sandbox.calls}
    wanted = set(step.events)
    calls = [
        by_request[event.request_id]
        for event in sandbox.events
        if (event.external_id or event.email) == step.who and (event.name, event.created_at) in wanted
    ]
    if not step.stored:
        return calls
    made = (call for call in sandbox.calls if call.path == "/contacts" and call.status == 200)
    contact = [call for call in made if step.who in {call.json.get("external_id"), call.json.get("email")}]
    return [*contact[:1], *calls]


def _written(call: Call) -> str:
    return f"{call.method} {call.path} {call.body.decode()} -> {call.status}"
