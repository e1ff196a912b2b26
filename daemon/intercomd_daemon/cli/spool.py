"""`intercomd spool`: verifies, exports, repairs and copies a spool."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from os import PathLike
from pathlib import Path

import click

from intercomd_daemon.cli import options, output
from intercomd_daemon.cli.config import load_or_exit
from intercomd_daemon.cli.exits import EXIT_FAILED, CommandFailed
from intercomd_daemon.cli.exported import UnwritableEnvelope, sender_json
from intercomd_daemon.cli.format import quantity
from intercomd_daemon.cli.layout import Column
from intercomd_daemon.cli.output import print_table
from intercomd_daemon.errors import IntercomdError
from intercomd_daemon.setting import places
from intercomd_daemon.spool.engines import FILE_ENGINE, engine_of
from intercomd_daemon.spool.maintenance import ClosedSpool, Contents, Damage, DamageReport, Maintenance

DATABASE = "postgresql:"
"""How the URL of a database begins."""
COLUMNS = (
    Column("table", style="bold"),
    Column("key", right=True),
    Column("lane", typical=20),
    Column("what is wrong", style="red", prose=True),
)


class _Place(click.Path):
    """A spool's file, which must exist, or the URL of a database."""

    def convert(self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the value if it is the URL of a database, or the path of a file that exists."""
        if not str(value).startswith(DATABASE):
            return str(super().convert(value, param, ctx))
        try:
            return str(places.spool_url().read(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


_PLACE = click.argument("path", metavar="[PATH or URL]", required=False, type=_Place(exists=True, dir_okay=False))


@click.group(
    "spool",
    epilog=options.examples(
        "intercomd spool verify /var/lib/intercomd/spool.db",
        "intercomd spool export /var/lib/intercomd/spool.db > waiting.jsonl",
        "intercomd spool repair /var/lib/intercomd/spool.db",
        "intercomd spool copy spool.db postgresql://intercomd@db/intercomd",
    ),
)
def command() -> None:
    """Verify, export, repair or copy a spool, where a daemon keeps accepted envelopes. Stop the daemon first.

    For a spool in PostgreSQL, give its URL (postgresql://role@host/database). Daemons may run: the commands read a
    snapshot. The password comes from the settings, or from PGPASSWORD or PGPASSFILE if you give a URL.

    A daemon that finds damage repairs its spool itself and logs it. These commands inspect a spool, move its envelopes
    to another daemon, and repair a spool without starting a daemon.
    """


@command.command(
    "verify",
    short_help="Verify every record, and list the damage.",
    epilog=options.examples("intercomd spool verify spool.db"),
)
@_PLACE
@options.CONFIG
@options.JSON
def verify_command(path: str | None, config_path: str | None, as_json: bool) -> None:
    """Verify every record and the file of a spool, and list the damage; change nothing.

    PATH is the spool's file, or the URL of a database; by default the one of the settings (spool.url). Each line names
    the table, the key of the record, its user if readable, and what is wrong. Records that a daemon has
    quarantined are listed, too. `intercomd spool repair` builds a new file from everything else.

    Exit code 0: no damage. 1: damage, or the spool could not be read.
    """
    with _locked(path, config_path) as (name, spool):
        findings = spool.verify()
    for damage in spool.damages:
        findings.add(damage)
    _list(findings, as_json)
    if as_json:
        output.print_json({"path": name, "damaged": findings.count, **findings.contents._asdict()})
    else:
        click.echo(f"{name}: {_contents_text(findings.contents)}; {_damage_text(findings.count, findings.contents)}")
    sys.exit(EXIT_FAILED if findings.count else 0)


@command.command(
    "export",
    short_help="Write the waiting envelopes for `intercomd send`.",
    epilog=options.examples("intercomd spool export spool.db | intercomd send -"),
)
@_PLACE
@options.CONFIG
@click.option("--dead-letters", is_flag=True, help="Also write dead letters, which Intercom has refused.")
@options.JSON
def export_command(path: str | None, config_path: str | None, dead_letters: bool, as_json: bool) -> None:
    """Write the waiting envelopes of a spool in the order of acceptance, as input for `intercomd send`.

    PATH is the spool's file, or the URL of a database; by default the one of the settings (spool.url). Each line of the
    output is an envelope as its sender sent it, in proto3 JSON, with the envelope_id, the connection and the event_time
    that it was accepted with. The spool does not change: do not deliver it with a daemon and send the export, too.
    Calls to Intercom that were already made for an envelope are made again.

    The summary goes to the standard error. Exit code 0: everything was written. 1: something is damaged (what is
    readable is written), or the spool could not be read.
    """
    findings = DamageReport()
    with _locked(path, config_path) as (name, spool):
        written = _write(spool, findings, dead_letters=dead_letters)
    for damage in spool.damages:
        findings.add(damage)
    if as_json:
        summary = {"path": name, "written": written, "damaged": findings.count, "lost": findings.contents.lost}
        click.echo(json.dumps(summary), err=True)
    else:
        if findings.damages:
            print_table(COLUMNS, _rows(findings), err=True)
        _print_unlisted(findings)
        wrong = _damage_text(findings.count, findings.contents)
        click.echo(f"{name}: {quantity(written, 'envelope')} written; {wrong}", err=True)
    sys.exit(EXIT_FAILED if findings.count else 0)


def _write(spool: ClosedSpool, findings: DamageReport, *, dead_letters: bool) -> int:
    written = 0
    for exported in spool.export(time.time(), findings, dead_letters=dead_letters):
        try:
            line = sender_json(exported)
        except UnwritableEnvelope as error:
            findings.add(Damage("log", 0, "", f"envelope {exported.envelope.envelope_id}: {error}"))
        else:
            output.print_json(line)
            written += 1
    return written


@command.command(
    "repair",
    short_help="Build a new spool from the readable records.",
    epilog=options.examples("intercomd spool repair spool.db"),
)
@_PLACE
@options.CONFIG
@options.JSON
def repair_command(path: str | None, config_path: str | None, as_json: bool) -> None:
    """Build a new spool from everything readable of a damaged one, and replace the damaged one.

    PATH is the spool's file; by default the one of the settings (spool.url). The damaged file stays beside it, named
    PATH.damaged-TIME, and is never deleted; delete it yourself when you no longer need it. A spool
    without damage is not changed. The repair needs as much free disk space as the spool takes.

    Exit code 0: the spool is sound, and what could not be read is listed. 1: the repair failed, and the spool is
    unchanged.
    """
    with _locked(path, config_path) as (name, spool):
        findings = spool.verify()
        contents, kept = spool.repair(time.time()) if findings.count else (findings.contents, "")
    _list(findings, as_json)
    if as_json:
        output.print_json({"path": name, "kept": kept, "damaged": findings.count, **contents._asdict()})
    elif kept:
        click.echo(f"{name}: rebuilt; {_contents_text(contents)}; {_damage_text(findings.count, contents)}")
        click.echo(f"the damaged spool is kept as {kept}")
    else:
        click.echo(f"{name}: {_contents_text(contents)}; nothing is damaged, and nothing was changed")


@command.command(
    "copy",
    short_help="Copy a spool's file into PostgreSQL.",
    epilog=options.examples("intercomd spool copy spool.db postgresql://intercomd@db/intercomd"),
)
@click.argument("path", metavar="PATH", type=click.Path(dir_okay=False))
@click.argument("url", metavar="[URL]", required=False, type=_Place())
@options.CONFIG
@options.JSON
def copy_command(path: str, url: str | None, config_path: str | None, as_json: bool) -> None:
    """Copy everything in a spool's file into an empty spool in PostgreSQL, where daemons go on with it.

    PATH is the file, whose daemon must be stopped. URL is the database; by default the one of the settings (spool.url).
    Its role must own the schema `intercomd`, or be able to create it, and no daemon may use it. Waiting envelopes keep
    their order, and duplicates stay recognised. At the end the file is renamed to PATH.copied, so that no daemon
    delivers it again. If the command is interrupted, run it again: it copies everything or nothing.

    Exit code 0: everything was copied. 1: nothing was.
    """
    name, _, password_file = (url, None, "") if url else _configured(config_path)
    fill = engine_of(name).fill if name.startswith(DATABASE) else None
    find, content = FILE_ENGINE.find, FILE_ENGINE.content
    if fill is None or find is None or content is None:
        raise click.UsageError(f"{name} is not the URL of a database; write postgresql://role@host/database")
    try:
        with content(find(path)) as found:
            if found.damages:
                raise CommandFailed(f"{path} is damaged: run `intercomd spool repair {path}` first")
            kept = fill(name, password_file, found)
    except IntercomdError as error:
        raise CommandFailed(str(error)) from None
    if as_json:
        output.print_json({"path": path, "url": name, "kept": kept, **found.contents._asdict()})
    else:
        click.echo(f"{name}: {_contents_text(found.contents)}")
        click.echo(f"the old spool is kept as {kept}")


@command.command("schema", epilog=options.examples("intercomd spool schema | psql --single-transaction intercomd"))
def schema_command() -> None:
    """Print the DDL of a spool in PostgreSQL.

    It creates the schema `intercomd` with its tables and functions. A daemon whose role may create schemas runs it at
    its first start. Otherwise the database's owner runs it in one transaction, and grants the daemon's role the use of
    the schema, of its sequences and its functions, and SELECT, INSERT, UPDATE, DELETE and TRUNCATE on its tables.
    """
    click.echo(files("intercomd_daemon.spool.postgresql").joinpath("schema.sql").read_text(), nl=False)


@contextmanager
def _locked(place: str | None, config_path: str | None) -> Iterator[tuple[str, ClosedSpool]]:
    """Locks the spool against daemons, or reads a snapshot of a database; yields its name and the spool."""
    name, maintenance, password_file = _named(place) if place else _configured(config_path)
    if maintenance is None:
        raise CommandFailed("the settings keep the spool in memory (spool.url): there is no file; give its path")
    if not name.startswith(DATABASE) and not Path(name).exists():
        raise CommandFailed(f"there is no spool {name}: name its file, or the settings with --config FILE")
    try:
        with maintenance.lock(name, password_file) as spool:
            yield name, spool
    except IntercomdError as error:
        raise CommandFailed(str(error)) from None


def _named(place: str) -> tuple[str, Maintenance | None, str]:
    return place, (engine_of(place) if place.startswith(DATABASE) else FILE_ENGINE).maintenance, ""


def _configured(config_path: str | None) -> tuple[str, Maintenance | None, str]:
    spool = load_or_exit(config_path).settings.spool
    name = spool.url if spool.url.startswith(DATABASE) else spool.path
    return name, engine_of(spool.url).maintenance, spool.password_file


def _list(findings: DamageReport, as_json: bool) -> None:
    if as_json:
        for table, key, lane, reason in findings.damages:
            output.print_json({"table": table, "key": str(key) if key else "", "lane": lane, "reason": reason})
    elif findings.damages:
        print_table(COLUMNS, _rows(findings))
    _print_unlisted(findings)


def _rows(findings: DamageReport) -> list[tuple[str, ...]]:
    return [(table, str(key or ""), lane, reason) for table, key, lane, reason in findings.damages]


def _print_unlisted(findings: DamageReport) -> None:
    hidden = findings.count - len(findings.damages)
    if hidden:
        click.echo(f"{hidden:,} more are not listed", err=True)


def _contents_text(contents: Contents) -> str:
    waiting, letters = quantity(contents.waiting, "envelope"), quantity(contents.dead_letters, "dead letter")
    return f"{waiting} waiting, {letters}, {quantity(contents.outcomes, 'outcome')}"


def _damage_text(damages: int, contents: Contents) -> str:
    if not damages:
        return "nothing is damaged"
    lost = f", and {quantity(contents.lost, 'waiting envelope')} lost" if contents.lost else ""
    return f"{quantity(damages, 'damage')} found{lost}"
