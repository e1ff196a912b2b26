"""The world that the settings speak of: the spool's folder and disk, the tokens, Intercom. Looks, and changes nothing.

What Intercom's answers mean is decided where the daemon decides it.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from intercomd_daemon import config
from intercomd_daemon.cli.findings import Finding, Level
from intercomd_daemon.cli.words import size
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver import encode
from intercomd_daemon.deliver.access import Grant, read_access
from intercomd_daemon.deliver.catalogue import AttributeList
from intercomd_daemon.deliver.exchange import Answer
from intercomd_daemon.deliver.intercom import Intercom
from intercomd_daemon.deliver.judge import Kind, judge
from intercomd_daemon.deliver.token import Token
from intercomd_daemon.spool.settings import SpoolSettings

# "At most 250 per workspace; beyond: `custom_data_limit_reached`."
CUSTOM_ATTRIBUTES_MAX = 250
_CUSTOM_ATTRIBUTES_MANY = 225
_HOLDER_BYTES_MAX = 200
# SQLite's file format: the first 16 bytes of every database, and where its header has the application's id.
_SQLITE = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_APPLICATION_ID = slice(68, 72)


def spool_findings(spool: SpoolSettings) -> list[Finding]:
    """The folder, the file, who holds it, and the disk's free space."""
    if spool.engine == "memory":
        return [Finding(Level.NOTE, "spool", "it is in memory alone: what was accepted is lost with the process")]
    path = Path(spool.path).absolute()
    folder = path.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        header = _header(path)
    except OSError as error:
        message = f"{error.filename or folder}: {error.strerror}; make a folder that the daemon may write to"
        return [Finding(Level.WRONG, "spool", f"{message}, or name another file in spool.url")]
    if header and not (header.startswith(_SQLITE) and header[_APPLICATION_ID] in {b"ICMD", bytes(4)}):
        message = f"{path} is another program's file; name another one in spool.url"
        return [Finding(Level.WRONG, "spool", message)]
    return [_writable(path, header), *_lock(path), _space(folder, spool)]


def _header(path: Path) -> bytes:
    """The file's first bytes, opened as the daemon will; empty if it is not there yet."""
    if not path.exists():
        return b""
    with path.open("r+b") as file:
        return file.read(_HEADER_BYTES)


def _writable(path: Path, header: bytes) -> Finding:
    return Finding(Level.OK, "spool", f"{path} can be written to" if header else f"{path} can be made")


def _lock(path: Path) -> list[Finding]:
    """Whether a daemon has the spool open: the lock is tried and let go at once."""
    lock = path.with_name(path.name + ".lock")
    if not lock.exists():
        return []
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file.fileno(), _HOLDER_BYTES_MAX, 0).decode(errors="replace") or "another process"
            message = f"{holder} has it open; a second daemon would wait for that one to go"
            return [Finding(Level.NOTE, "spool", message)]
    return []


def _space(folder: Path, spool: SpoolSettings) -> Finding:
    free = shutil.disk_usage(folder).free
    said = f"{size(free)} free on the disk of {folder}"
    if free < spool.free_bytes_min:
        least = size(spool.free_bytes_min)
        message = f"{said}: below {least} nothing is accepted; make room, or lower spool.free_bytes_min"
        return Finding(Level.WRONG, "spool", message)
    if free < spool.bytes_max + spool.free_bytes_min:
        message = f"{said}: less than spool.bytes_max ({size(spool.bytes_max)}), so the disk may fill up first"
        return Finding(Level.NOTE, "spool", message)
    return Finding(Level.OK, "spool", said)


async def connection_findings(settings: config.Settings) -> list[Finding]:
    """Each connection: its token, its workspace, its custom attributes."""
    found = []
    for name, connection in settings.connections.items():
        subject = f"connection {name}"
        if not connection.active:
            found.append(Finding(Level.NOTE, subject, "it is not active, so nobody is asked about it"))
            continue
        token, unreadable = _token(connection)
        if unreadable:
            found.append(Finding(Level.WRONG, subject, unreadable))
        else:
            found += await _ask(subject, connection, token)
    return found


def _token(connection: ConnectionSettings) -> tuple[Token, str]:
    """The access token, or what is wrong with it."""
    token = Token(connection.access_token.reveal(), connection.access_token_file)
    return token, "" if token.current() else token.problem


async def _ask(subject: str, connection: ConnectionSettings, token: Token) -> list[Finding]:
    async with Intercom(connection, token, connections_max=1) as intercom:
        access = read_access(await intercom.call(encode.ME), connection)
        if access.grant is Grant.UNKNOWN:
            message = (
                f"Intercom could not be asked at {connection.url}: {access.message}; is the address right, and the way?"
            )
            return [Finding(Level.UNKNOWN, subject, message)]
        if access.grant is Grant.SUSPENDED:
            return [Finding(Level.WRONG, subject, f"{access.reason}: {access.message}")]
        if access.reason:
            workspace = Finding(Level.NOTE, subject, access.message)
        else:
            region = access.region or connection.region
            message = f'the access token belongs to App ID {connection.app_id}, "{access.workspace_name}", in {region}'
            workspace = Finding(Level.OK, subject, message)
        return [workspace, _attributes(subject, await intercom.call(encode.ATTRIBUTES))]


def _attributes(subject: str, answer: Answer) -> Finding:
    """How many of the custom attributes that a workspace may have are in use."""
    verdict = judge(encode.ATTRIBUTES.call, answer)
    if verdict.kind is Kind.PASSING:
        return Finding(
            Level.UNKNOWN, subject, f"its custom attributes could not be listed: {verdict.reason}; try again"
        )
    try:
        listed = msgspec.json.decode(answer.body, type=AttributeList).data if verdict.kind is Kind.DONE else None
    except msgspec.DecodeError:
        listed = None
    if listed is None:
        message = "the access token may not list custom attributes; without that missing ones are not created"
        return Finding(Level.NOTE, subject, f"{message}: give it the scope to read data attributes")
    custom = sum(attribute.custom and not attribute.archived for attribute in listed)
    said = f"custom attributes {custom}/{CUSTOM_ATTRIBUTES_MAX}"
    if custom >= _CUSTOM_ATTRIBUTES_MANY:
        message = f"{said}: beyond {CUSTOM_ATTRIBUTES_MAX} Intercom creates none; archive some that nobody uses"
        return Finding(Level.NOTE, subject, message)
    return Finding(Level.OK, subject, said)
