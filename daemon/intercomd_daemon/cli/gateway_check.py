"""Checks the gateway of an agent: that it answers, accepts the agent's credential, and has each connection."""

from intercomd_daemon import config
from intercomd_daemon.cli.preflight import CheckResult, Severity
from intercomd_daemon.forward.gateway import Gateway, UpstreamUnusable
from intercomd_daemon.forward.replies import Next, advise_probe
from intercomd_daemon.reasons import ReasonKind, remedy_of


async def check_gateway(settings: config.Settings) -> list[CheckResult]:
    """Asks the gateway, for each connection, whether this agent may publish to it, and which spool it has."""
    try:
        gateway = Gateway(settings.upstream)
    except UpstreamUnusable as error:
        return [CheckResult(Severity.WRONG, "gateway", str(error))]
    try:
        return [await _check_connection(gateway, name) for name in settings.connections]
    finally:
        await gateway.close()


async def _check_connection(gateway: Gateway, name: str) -> CheckResult:
    subject = f"connection {name}"
    reply = await gateway.probe(name)
    advice = advise_probe(reply, "")
    if advice.next is Next.SETTLE:
        skipped = [f"; it would skip envelopes: {each.reason}" for each in reply.results[0].violations]
        message = f"the gateway {gateway.target} takes envelopes of this agent; its spool is {reply.spool_id}"
        return CheckResult(Severity.NOTE if skipped else Severity.OK, subject, message + "".join(skipped))
    detail = f"{reply.code}: {reply.message}" if reply.message else reply.code
    if advice.next is Next.SUSPEND:
        remedy = remedy_of(ReasonKind.UPSTREAM, advice.reason)
        return CheckResult(Severity.WRONG, subject, f"{advice.reason} ({detail}): {remedy}")
    return CheckResult(Severity.UNKNOWN, subject, f"the gateway {gateway.target} does not answer ({detail})")
