"""Checks what the settings refer to, without changing it: the spool, addresses, files, traces, Intercom.

The daemon's own code interprets Intercom's responses, so that a check and a start come to the same result.
"""

import asyncio
import stat
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import msgspec

from intercomd_daemon import config
from intercomd_daemon.app.bind import ListenerUnavailable, check_address
from intercomd_daemon.app.trace_export import open_traces
from intercomd_daemon.cli.format import byte_size
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.access import Grant, read_access
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.classification import Kind, classify
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Response
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeList
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.rpc.tls import ServerTls
from intercomd_daemon.rpc.token_file import TokenFiles
from intercomd_daemon.spool.engines import engine_of
from intercomd_daemon.spool.maintenance import Inspection
from intercomd_daemon.spool.settings import SpoolSettings
from intercomd_daemon.telemetry.trace_settings import endpoint_of
from intercomd_daemon.telemetry.traces import TracesUnavailable
from intercomd_daemon.watched_file import FileUnusable

# "At most 250 per workspace; beyond: `custom_data_limit_reached`."
CUSTOM_ATTRIBUTES_MAX = 250
_CUSTOM_ATTRIBUTES_WARNING = 225


class Severity(Enum):
    """Severity of a finding."""

    OK = "ok"
    NOTE = "note"
    """The daemon works, but an operator should know."""
    UNKNOWN = "unknown"
    """The check could not be made now."""
    WRONG = "wrong"


class CheckResult(NamedTuple):
    """One result of a check."""

    level: Severity
    subject: str
    """`settings`, `spool`, `ingest.tls`, `connection <name>`, for example."""
    message: str
    """The fact; with the fix, if the level is WRONG."""

    def as_json(self) -> dict[str, str]:
        """Returns the finding as `--json` prints it."""
        return {"level": self.level.value, "subject": self.subject, "message": self.message}


def check_spool(spool: SpoolSettings) -> list[CheckResult]:
    """Checks where the spool is, which process holds it, and the free space of its disk."""
    engine = engine_of(spool.url)
    if engine.check is not None:
        problem = asyncio.run(engine.check(spool))
        fact = problem or f"{spool.url} can be used"
        return [CheckResult(Severity.WRONG if problem else Severity.OK, "spool", fact)]
    inspect = engine.inspect
    if inspect is None:
        message = "the spool is in memory: accepted envelopes are lost when the process ends"
        return [CheckResult(Severity.NOTE, "spool", message)]
    found = inspect(spool)
    if found.problem:
        return [CheckResult(Severity.WRONG, "spool", found.problem)]
    state = "is writable" if found.exists else "can be created"
    findings = [CheckResult(Severity.OK, "spool", f"{found.path} {state}")]
    if found.holder:
        message = f"{found.holder} has the spool open; a second daemon waits until that process ends"
        findings.append(CheckResult(Severity.NOTE, "spool", message))
    return [*findings, _check_space(found, spool)]


def _check_space(found: Inspection, spool: SpoolSettings) -> CheckResult:
    kept = spool.free_bytes_min + found.reserved_bytes
    fact = f"{byte_size(found.free_bytes)} free on the disk of {found.folder}"
    if found.free_bytes < kept:
        message = (
            f"{fact}: the daemon accepts nothing below {byte_size(kept)}, which are spool.free_bytes_min"
            f" ({byte_size(spool.free_bytes_min)}) and what it reserves for settling;"
            " free some space, or lower spool.free_bytes_min"
        )
        return CheckResult(Severity.WRONG, "spool", message)
    if found.free_bytes < spool.bytes_max + kept:
        message = f"{fact}: less than spool.bytes_max ({byte_size(spool.bytes_max)}), so the disk may fill up first"
        return CheckResult(Severity.NOTE, "spool", message)
    return CheckResult(Severity.OK, "spool", fact)


def check_listeners(settings: config.Settings) -> list[CheckResult]:
    """Reports the addresses on which this host and user cannot listen.

    Those on which a process listens already, such as a daemon that runs with these settings, are only noted.
    """
    ingest, operations = settings.ingest, settings.operations
    listeners = [
        *(("ingest.listen", address, ingest.unix_access) for address in ingest.listen),
        ("operations.listen", operations.listen, operations.unix_access),
        ("operations.grpc_listen", operations.grpc_listen, operations.unix_access),
        *(("health.listen", address, operations.unix_access) for address in settings.health.listen),
    ]
    findings = []
    for key, address, access in listeners:
        try:
            check_address(address, access)
        except ListenerUnavailable as error:
            level = Severity.NOTE if error.taken else Severity.WRONG
            findings.append(CheckResult(level, "listeners", f"{key}: {error}"))
    return findings


async def check_traces(settings: config.Settings, environment: Mapping[str, str]) -> list[CheckResult]:
    """Checks that spans can be made if the settings or OpenTelemetry's variables ask for them."""
    try:
        traces = open_traces(settings.traces, environment)
    except TracesUnavailable as error:
        if settings.traces.endpoint:
            return [CheckResult(Severity.WRONG, "traces", str(error))]
        return [CheckResult(Severity.NOTE, "traces", f"the daemon runs without traces: {error}")]
    if traces is None:
        return []
    await traces.close()
    # A variable's URL may hold credentials.
    shown = endpoint_of(settings.traces, environment).rpartition("@")[2]
    return [CheckResult(Severity.OK, "traces", f"spans go to {shown}")]


def check_tls(settings: config.Settings) -> list[CheckResult]:
    """Checks the certificates, keys and client CAs of the listeners."""
    findings = []
    for section, tls in (("ingest.tls", settings.ingest.tls), ("operations.tls", settings.operations.tls)):
        if tls.on:
            try:
                ServerTls(tls).load()
            except FileUnusable as error:
                findings.append(CheckResult(Severity.WRONG, section, str(error)))
            else:
                findings.append(CheckResult(Severity.OK, section, f"{tls.certificate_file} belongs to {tls.key_file}"))
                findings += _check_mode(section, tls.key_file)
    return findings


def check_tokens(settings: config.Settings) -> list[CheckResult]:
    """Checks the token files of the callers."""
    files = {name: caller.token_file for name, caller in settings.callers.items() if caller.token_file}
    if not files:
        return []
    try:
        TokenFiles(settings.callers).load()
    except FileUnusable as error:
        return [CheckResult(Severity.WRONG, "callers", str(error))]
    read = CheckResult(Severity.OK, "callers", f"the token files of {', '.join(files)} can be used")
    return [read, *(finding for name, path in files.items() for finding in _check_mode(f"caller {name}", path))]


async def check_connections(settings: config.Settings) -> list[CheckResult]:
    """Checks the access token, the workspace and the custom attributes of each connection."""
    findings = _shared_budgets(settings)
    for name, connection in settings.connections.items():
        subject = f"connection {name}"
        if not connection.active:
            findings.append(CheckResult(Severity.NOTE, subject, "not checked: the connection is not active"))
            continue
        token = AccessToken(connection.access_token.reveal(), connection.access_token_file)
        if not token.current():
            findings.append(CheckResult(Severity.WRONG, subject, token.problem))
            continue
        findings += _check_mode(subject, connection.access_token_file)
        try:
            findings += await _check_workspace(subject, connection, token)
        except IntercomdError as error:
            findings.append(CheckResult(Severity.WRONG, subject, str(error)))
    return findings


def _check_mode(subject: str, path: str) -> list[CheckResult]:
    if path and Path(path).stat().st_mode & stat.S_IROTH:
        return [CheckResult(Severity.NOTE, subject, f"{path} is readable by every user of the host: chmod 600 or 640")]
    return []


def _shared_budgets(settings: config.Settings) -> list[CheckResult]:
    """Notes the connections that share the budget of one workspace, as `Connections.start` shares it."""
    workspaces: dict[tuple[str, str], list[str]] = {}
    for name, connection in settings.connections.items():
        if connection.active and connection.app_id:
            workspaces.setdefault((connection.url, connection.app_id), []).append(name)
    return [
        CheckResult(
            Severity.NOTE,
            f"connection {name}",
            f"shares the budget of App ID {app_id} with connection {names[0]}, whose rate applies",
        )
        for (_, app_id), names in workspaces.items()
        for name in names[1:]
    ]


async def _check_workspace(subject: str, connection: ConnectionSettings, token: AccessToken) -> list[CheckResult]:
    async with IntercomClient(connection, token, connections_max=1) as intercom:
        access = read_access(await intercom.call(requests.ME), connection)
        if access.grant is Grant.UNKNOWN:
            message = f"no usable response from {connection.url}: {access.message}; check the address and the network"
            return [CheckResult(Severity.UNKNOWN, subject, message)]
        if access.grant is Grant.SUSPENDED:
            return [CheckResult(Severity.WRONG, subject, f"{access.reason}: {access.message}")]
        if access.reason:
            workspace = CheckResult(Severity.NOTE, subject, access.message)
        else:
            region = access.region or connection.region
            message = f'the access token belongs to App ID {connection.app_id}, "{access.workspace_name}", in {region}'
            workspace = CheckResult(Severity.OK, subject, message)
        return [workspace, _check_attributes(subject, await intercom.call(requests.ATTRIBUTES))]


def _check_attributes(subject: str, answer: Response) -> CheckResult:
    """Reports how many of the custom attributes that a workspace may have are in use."""
    classification = classify(requests.ATTRIBUTES.call, answer)
    if classification.kind is Kind.TRANSIENT:
        message = f"the custom attributes could not be listed: {classification.reason}; try again"
        return CheckResult(Severity.UNKNOWN, subject, message)
    try:
        listed = msgspec.json.decode(answer.body, type=AttributeList).data if classification.kind is Kind.DONE else None
    except msgspec.DecodeError:
        listed = None
    if listed is None:
        message = "the access token may not list custom attributes, so missing ones are not created"
        return CheckResult(Severity.NOTE, subject, f"{message}: grant it the scope to read data attributes")
    custom = sum(attribute.custom and not attribute.archived for attribute in listed)
    fact = f"custom attributes {custom}/{CUSTOM_ATTRIBUTES_MAX}"
    if custom >= _CUSTOM_ATTRIBUTES_WARNING:
        message = f"{fact}: Intercom creates none beyond {CUSTOM_ATTRIBUTES_MAX}; archive those that are not used"
        return CheckResult(Severity.NOTE, subject, message)
    return CheckResult(Severity.OK, subject, fact)
