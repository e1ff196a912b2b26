"""Envelopes and the calls that they became."""

from examining import examined
from sending import NOON

from intercomd_daemon.cli.demo import kinds, people
from intercomd_daemon.cli.demo.samples import SHOWN, samples
from intercomd_daemon.cli.demo.scenario import scenario
from intercomd_daemon.cli.demo.step import Step
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import Intercom
from intercomd_daemon.deliver.preview import preview
from intercomd_daemon.deliver.token import Token
from intercomd_daemon.sandbox import Sandbox

ADA, CARL = people.person(0), people.person(2)
STEPS = (kinds.sign_up(ADA, NOON), kinds.purchase(ADA, NOON + 60, 2, 1), kinds.invoice(ADA, NOON + 90, 7))


async def deliver(step: Step, sandbox: Sandbox) -> None:
    settings = ConnectionSettings(name="default", base_url=sandbox.base_url)
    accepted = examined(step.envelope, NOON + 3600).accepted
    assert accepted is not None
    async with Intercom(settings, Token(sandbox.settings.access_token), 1) as session:
        for request in preview(accepted, settings, NOON + 3600):
            await session.call(request)


async def test_a_sample_has_the_calls_that_were_made_for_it_alone() -> None:
    async with Sandbox() as sandbox:
        sandbox.workspace.add_attribute("plan")
        for step in (kinds.sign_up(CARL, NOON), *STEPS):
            await deliver(step, sandbox)
        found = samples(STEPS, sandbox)
    assert [len(sample.calls) for sample in found] == [2, 1, 3]
    assert found[0].calls[0].startswith('POST /contacts {"role":"user","external_id":"c-1000"')
    assert all(call.endswith(("-> 200", "-> 202")) for sample in found for call in sample.calls)


async def test_what_intercom_has_not_taken_has_no_calls() -> None:
    async with Sandbox() as sandbox:
        found = samples(scenario(NOON).steps, sandbox)
    assert len(found) == len(SHOWN)
    assert all(sample.envelope.startswith("{") and not sample.calls for sample in found)
