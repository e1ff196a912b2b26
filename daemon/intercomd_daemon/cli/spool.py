"""`intercomd spool`: a spool at rest: verified, its envelopes exported, or rebuilt of what is readable."""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from intercomd_daemon.cli import options, output
from intercomd_daemon.cli.config import load_or_exit
from intercomd_daemon.cli.exits import EXIT_FAILED, CommandFailed
from intercomd_daemon.cli.exported import Unwritable, line_of
from intercomd_daemon.cli.format import printable, quantity
from intercomd_daemon.cli.output import Column, align_columns, print_table
from intercomd_daemon.errors import IntercomdError, SpoolLocked
from intercomd_daemon.spool.sqlite.lock import hold
from intercomd_daemon.spool.sqlite.opening import describe_lost_content
from intercomd_daemon.spool.sqlite.repair.export import export
from intercomd_daemon.spool.sqlite.repair.findings import FILE, Contents, Damage, Findings
from intercomd_daemon.spool.sqlite.repair.rebuild import repair
from intercomd_daemon.spool.sqlite.repair.verify import verify

COLUMNS = (
    Column("table", style="bold"),
    Column("key", right=True),
    Column("lane"),
    Column("what is wrong", style="red"),
)
_PATH = click.argument("path", metavar="[PATH]", required=False, type=click.Path(exists=True, dir_okay=False))


@click.group(
    "spool",
    epilog=options.examples(
        "intercomd spool verify /var/lib/intercomd/spool.db",
        "intercomd spool export /var/lib/intercomd/spool.db > waiting.jsonl",
        "intercomd spool repair /var/lib/intercomd/spool.db",
    ),
)
def command() -> None:
    """Look after the spool: the file in which a daemon keeps what it has accepted. Stop that daemon first.

    A daemon that meets damage repairs its spool by itself and says so in its log. These commands are for looking, for
    taking what waits elsewhere, and for a spool that no daemon is to open.
    """


@command.command("verify", epilog=options.examples("intercomd spool verify spool.db"))
@_PATH
@options.CONFIG
@options.JSON
def verify_command(path: str | None, config_path: str | None, as_json: bool) -> None:
    """Check every record of a spool, and the file itself, and list what is damaged; nothing is changed.

    PATH is the spool's file; without it, the one of the settings (spool.url). A line names the table, the record's key,
    the user whose it was as far as that can be read, and what is wrong. Records that a daemon has set aside are listed
    too. `intercomd spool repair` makes a new spool of everything else.

    Exit code 0: nothing is damaged. 1: something is, or the spool could not be looked at.
    """
    with _held(path, config_path) as (name, damages):
        findings = verify(name)
    for damage in damages:
        findings.add(damage)
    _list(findings, as_json)
    if as_json:
        output.print_json({"path": name, "damaged": findings.count, **findings.contents._asdict()})
    else:
        click.echo(f"{name}: {_holds(findings.contents)}; {_wrong(findings.count, findings.contents)}")
    sys.exit(EXIT_FAILED if findings.count else 0)


@command.command("export", epilog=options.examples("intercomd spool export spool.db | intercomd send -"))
@_PATH
@options.CONFIG
@click.option("--dead-letters", is_flag=True, help="Also the dead letters, which Intercom has refused.")
@options.JSON
def export_command(path: str | None, config_path: str | None, dead_letters: bool, as_json: bool) -> None:
    """Write the envelopes that wait in a spool, in the order of their acceptance, as `intercomd send` takes them.

    PATH is the spool's file; without it, the one of the settings (spool.url). Each line of the output is an envelope as
    its sender sent it, in proto3 JSON, with the envelope_id, the connection and the event_time that it was accepted
    with. The spool stays as it is: do not let a daemon deliver it and send the export too. Calls to Intercom that were
    made for an envelope already are made again.

    The summary goes to the standard error. Exit code 0: everything was written. 1: something is damaged (what can be
    read is written), or the spool could not be read.
    """
    findings = Findings()
    with _held(path, config_path) as (name, damages):
        written = _write(name, findings, dead_letters=dead_letters)
    for damage in damages:
        findings.add(damage)
    if as_json:
        summary = {"path": name, "written": written, "damaged": findings.count, "lost": findings.contents.lost}
        click.echo(json.dumps(summary), err=True)
    else:
        if findings.damages:
            click.echo(align_columns(COLUMNS, _rows(findings)), err=True)
        _say_hidden(findings)
        wrong = _wrong(findings.count, findings.contents)
        click.echo(f"{name}: {quantity(written, 'envelope')} written; {wrong}", err=True)
    sys.exit(EXIT_FAILED if findings.count else 0)


def _write(path: str, findings: Findings, *, dead_letters: bool) -> int:
    written = 0
    for exported in export(path, time.time(), findings, dead_letters=dead_letters):
        try:
            line = line_of(exported)
        except Unwritable as error:
            findings.add(Damage("log", 0, "", f"envelope {exported.envelope.envelope_id}: {error}"))
        else:
            output.print_json(line)
            written += 1
    return written


@command.command("repair", epilog=options.examples("intercomd spool repair spool.db"))
@_PATH
@options.CONFIG
@options.JSON
def repair_command(path: str | None, config_path: str | None, as_json: bool) -> None:
    """Make a new spool of everything that can be read of a damaged one, and put it in its place.

    PATH is the spool's file; without it, the one of the settings (spool.url). The damaged file stays beside it, named
    PATH.damaged-TIME, and is never deleted: delete it when nothing more is wanted of it. A spool in which nothing is
    damaged is left alone. As much room is needed on the disk as the spool takes.

    Exit code 0: the spool is sound now, and what could not be read is listed. 1: it could not be repaired, and is as it
    was.
    """
    with _held(path, config_path) as (name, _):
        findings = verify(name)
        contents, kept = repair(name, time.time()) if findings.count else (findings.contents, "")
    _list(findings, as_json)
    if as_json:
        output.print_json({"path": name, "kept": kept, "damaged": findings.count, **contents._asdict()})
    elif kept:
        click.echo(f"{name}: rebuilt; {_holds(contents)}; {_wrong(findings.count, contents)}")
        click.echo(f"the damaged spool is kept as {kept}")
    else:
        click.echo(f"{name}: {_holds(contents)}; nothing is damaged, and nothing was changed")


@contextmanager
def _held(path: str | None, config_path: str | None) -> Iterator[tuple[str, list[Damage]]]:
    """The spool's file, which no daemon opens meanwhile, and what is wrong with it at first sight."""
    name = path or _configured(config_path)
    holders: list[str] = []
    try:
        lock = asyncio.run(hold(name, 0.0, holders.append))
    except SpoolLocked:
        raise CommandFailed(f"{holders[0]} has {name} open: stop that daemon first") from None
    except IntercomdError as error:
        raise CommandFailed(str(error)) from None
    try:
        gone = describe_lost_content(name, left_open=lock.left_open)
        if not gone:
            lock.closing()
        yield name, [Damage(FILE, 0, "", gone)] if gone else []
    except IntercomdError as error:
        raise CommandFailed(str(error)) from None
    except BrokenPipeError:  # Whoever read the output has gone, and knows.
        raise
    except (OSError, sqlite3.Error) as error:
        raise CommandFailed(f"{name}: {error}; look at the disk's room, and at the file's permissions") from None
    finally:
        lock.release()


def _configured(config_path: str | None) -> str:
    spool = load_or_exit(config_path).settings.spool
    if spool.engine == "memory":
        raise CommandFailed("the settings keep the spool in memory (spool.url): there is no file to look at; name one")
    if not Path(spool.path).exists():
        raise CommandFailed(f"there is no spool {spool.path}: name its file, or the settings with --config FILE")
    return spool.path


def _list(findings: Findings, as_json: bool) -> None:
    if as_json:
        for table, key, lane, reason in findings.damages:
            output.print_json({"table": table, "key": str(key) if key else "", "lane": lane, "reason": reason})
    elif findings.damages:
        print_table(COLUMNS, _rows(findings))
    _say_hidden(findings)


def _rows(findings: Findings) -> list[tuple[str, ...]]:
    return [
        (table, str(key or ""), printable(lane), printable(reason)) for table, key, lane, reason in findings.damages
    ]


def _say_hidden(findings: Findings) -> None:
    hidden = findings.count - len(findings.damages)
    if hidden:
        click.echo(f"{hidden:,} more are not listed", err=True)


def _holds(contents: Contents) -> str:
    waiting, letters = quantity(contents.waiting, "envelope"), quantity(contents.dead_letters, "dead letter")
    return f"{waiting} waiting, {letters}, {quantity(contents.outcomes, 'outcome')}"


def _wrong(damages: int, contents: Contents) -> str:
    if not damages:
        return "nothing is damaged"
    lost = f", and {quantity(contents.lost, 'waiting envelope')} lost" if contents.lost else ""
    return f"{quantity(damages, 'damage')} found{lost}"
