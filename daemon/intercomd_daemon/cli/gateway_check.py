"""Checks the gateway of an agent: that it answers, accepts the agent's credential, and has each connection."""

from intercomd_daemon import config
from intercomd_daemon.cli.preflight import CheckResult, Severity
from intercomd_daemon.cli.tls_problem import find_tls_problem
from intercomd_daemon.forward.gateway import PROBE, Gateway, UpstreamUnusable
from intercomd_daemon.forward.replies import Next, advise_probe
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.reasons import ReasonKind, remedy_of


async def check_gateway(settings: config.Settings) -> list[CheckResult]:
    """Asks the gateway, for each connection, whether this agent may publish to it, and which spool it has."""
    try:
        gateway = Gateway(settings.upstream)
    except UpstreamUnusable as error:
        return [CheckResult(Severity.WRONG, "gateway", str(error))]
    try:
        return [await _check_connection(gateway, settings.upstream, name) for name in settings.connections]
    finally:
        await gateway.close()


async def _check_connection(gateway: Gateway, upstream: UpstreamSettings, name: str) -> CheckResult:
    subject = f"connection {name}"
    reply = await gateway.probe(name, PROBE)
    advice = advise_probe(reply, "")
    if advice.next is Next.SETTLE:
        skipped = [f"; it would skip envelopes: {each.reason}" for each in reply.results[0].violations]
        message = f"the gateway {gateway.target} takes envelopes of this agent; its spool is {reply.spool_id}"
        return CheckResult(Severity.NOTE if skipped else Severity.OK, subject, message + "".join(skipped))
    missing = reply.message or advice.problem or advice.reason
    detail = f"{reply.code}: {missing}" if missing else reply.code
    if advice.next is Next.SUSPEND:
        remedy = remedy_of(ReasonKind.UPSTREAM, advice.reason)
        status = "" if reply.code == "OK" else f" ({detail})"
        return CheckResult(Severity.WRONG, subject, f"{advice.reason}{status}: {remedy}")
    if problem := find_tls_problem(reply.message):
        message = f"TLS to the gateway {gateway.target} fails: {problem.cause}; {problem.fix_in_settings}"
        return CheckResult(Severity.WRONG, subject, message)
    message = f"the gateway {gateway.target} does not answer ({detail})"
    if upstream.uses_tls and not upstream.tls.certificate_file:
        # With TLS 1.3 a server that misses a certificate ends the connection, and the client learns no more.
        message += "; if it requires client certificates, set upstream.tls.certificate_file and key_file"
    return CheckResult(Severity.UNKNOWN, subject, message)
