"""Corrupts the files of a filled spool, and checks the spool that is opened afterwards.

It must not crash, invent rows, lose a readable row, lose anything silently, or use a position twice.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.maintenance import DamageReport
from intercomd_daemon.spool.record import unpack
from intercomd_daemon.spool.rows import ContactEntry, Settlement, position_of
from intercomd_daemon.spool.sqlite.repair.export import export
from intercomd_daemon.spool.sqlite.repair.verify import verify
from spool.filled import CONNECTIONS, Filled, Seen, fill, opened, see
from spool.model import Held, end_of, made

NAME = "spool.db"
LOG = NAME + "-wal"
PAGE = 4096
ROWS_IN_A_PAGE_MAX = 16
"""Of those that are filled in: what one corrupted page, or one corrupted bit, may cost."""

Files = Mapping[str, bytes]


class Corrupted(NamedTuple):
    """Files after something has happened to them."""

    what: str
    files: Files
    ends_early: bool = False
    """Whether the end of what was committed is missing undetectably."""
    one_page: bool = False
    """Whether no more than one page is corrupted."""


Corrupt = Callable[[Random, Files], Corrupted]


@dataclass(frozen=True)
class Specimen:
    """A filled spool's files."""

    filled: Filled
    closed: Files
    left_open: Files
    """As a kill leaves them: nearly everything is in the write-ahead log alone."""


async def specimen(folder: Path, rows: int = 160, seed: int = 1) -> Specimen:
    """Fills a spool in an empty folder, and keeps its files."""
    spool = await opened(folder / NAME)
    filled = await fill(spool, rows, seed)
    left_open = _files(folder)
    await spool.close()
    return Specimen(filled, _files(folder), left_open)


def _files(folder: Path) -> Files:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def put(files: Files, folder: Path) -> Path:
    """Puts files into a folder; returns the path of the spool."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / NAME


def flip(chance: Random, files: Files) -> Corrupted:
    """One bit of one file, but for the format's number: the content of another major version is unknown."""
    name = chance.choice([name for name in (NAME, LOG) if name in files])
    place = chance.choice([place for place in (chance.randrange(len(files[name])), 0) if not 60 <= place < 64])
    content = bytearray(files[name])
    content[place] ^= 1 << chance.randrange(8)
    return Corrupted(f"bit at {place} of {name}", {**files, name: bytes(content)}, one_page=True)


def flip_structure(chance: Random, files: Files) -> Corrupted:
    """One bit where SQLite keeps its own: the beginning of a page, or of the file."""
    page = chance.choice([0, chance.randrange(len(files[NAME]) // PAGE)])
    place = page * PAGE + chance.choice([chance.randrange(16), chance.randrange(60), 100 + chance.randrange(60)])
    content = bytearray(files[NAME])
    content[place if not 60 <= place < 64 else 0] ^= 1 << chance.randrange(8)
    return Corrupted(f"bit at {place} of page {page + 1}", {**files, NAME: bytes(content)}, one_page=True)


def overwrite(chance: Random, files: Files) -> Corrupted:
    """A page, or its second half, of zeros, of noise, or of another page: a write that went wrong."""
    pages = len(files[NAME]) // PAGE
    page = chance.randrange(pages)
    start = page * PAGE + chance.choice([0, PAGE // 2])
    other = chance.randrange(pages) * PAGE + start % PAGE
    size = PAGE - start % PAGE
    kind = chance.choice(["zeros", "noise", "another page"])
    new = {"zeros": bytes(size), "noise": chance.randbytes(size), "another page": files[NAME][other : other + size]}
    content = files[NAME][:start] + new[kind] + files[NAME][start + size :]
    return Corrupted(f"{kind} ({other}) at {start} of {pages} pages", {**files, NAME: content}, one_page=True)


def cut(chance: Random, files: Files) -> Corrupted:
    """A file that ends early; so may a write-ahead log, which does not record its length."""
    name = chance.choice([name for name in (NAME, LOG) if name in files])
    size = chance.choice([0, chance.randrange(200), chance.randrange(len(files[name]))])
    return Corrupted(f"{name} ends at {size}", {**files, name: files[name][:size]}, ends_early=name == LOG)


def lose_log(_chance: Random, files: Files) -> Corrupted:
    """The write-ahead log is gone."""
    return Corrupted("no log", {name: content for name, content in files.items() if name != LOG})


CORRUPTIONS: Mapping[str, Corrupt] = MappingProxyType(
    {
        "a bit": flip,
        "a bit of the structure": flip_structure,
        "a page": overwrite,
        "a file cut off": cut,
        "no log": lose_log,
    }
)


async def open_and_check(corrupted: Corrupted, filled: Filled, folder: Path) -> list[str]:
    """Opens corrupted files as a daemon does, reads all, goes on, opens again; returns what should not have been."""
    path = put(corrupted.files, folder)
    reports: list[str] = []
    spool = await opened(path, reports)
    seen = await see(spool, reports)
    new = made(CONNECTIONS[0], Priority.NORMAL, "ann", "brand new", 0, recognised=True)
    (key,) = await spool.append([new])
    await spool.settle([Settlement(CONNECTIONS[0], [end_of(key, Held(new), "")])])
    usage = spool.usage()
    await spool.close()
    wrong = [*_invented(seen, filled), *_lost(seen, filled, corrupted), *_reused(key, seen, filled, corrupted)]
    waiting = sum(each.normal + each.bulk for each in usage.connections.values())
    if waiting != len(seen.rows):
        wrong.append(f"{waiting} rows are counted, and {len(seen.rows)} are there")
    again: list[str] = []
    spool = await opened(path, again)
    if (await see(spool, again)).rows != seen.rows or (again and not reports):
        wrong.append(f"the next opening sees it otherwise: {again}")
    await spool.close()
    return [f"{corrupted.what}: {each}; reports: {[said[-200:] for said in reports]}" for each in wrong]


def _invented(seen: Seen, filled: Filled) -> list[str]:
    wrong = []
    for key, row in seen.rows.items():
        sent = filled.sent.get(key)
        read = (seen.connections[key], row.priority, row.lane, row.data)
        if sent is None or (sent.connection, sent.priority, sent.lane, sent.data) != read:
            wrong.append(f"row {key} is not what was sent")
        if row.progress not in (b"", *filled.progress.get(key, [])):
            wrong.append(f"the progress of row {key} is another one's")
    wrong += [
        f"{place} is not {known}"
        for place, known in seen.known.items()
        if known not in (ContactEntry("", b""), *filled.known.get(place, []))
    ]
    damaged = {row.envelope_id for key, row in filled.sent.items() if key not in seen.rows}
    for outcome in seen.outcomes:
        ended_as_damaged = outcome.reason == "DAMAGED" and outcome.envelope_id in damaged
        if filled.outcomes.get(outcome.sequence) != outcome and not ended_as_damaged:
            wrong.append(f"outcome {outcome.sequence} was never written")
    return [*wrong, *(f"letter {number} was never written" for number in seen.letters if number not in filled.letters)]


def _lost(seen: Seen, filled: Filled, corrupted: Corrupted) -> list[str]:
    missing = filled.rows.keys() - seen.rows.keys()
    if corrupted.ends_early:
        behind = [key for key in seen.rows if missing and position_of(key) > min(map(position_of, missing))]
        return [f"rows {behind} follow lost ones"] if behind else []
    silent = [f"{len(missing)} rows are lost in silence"] if missing and not seen.reports else []
    if corrupted.one_page and len(missing) > ROWS_IN_A_PAGE_MAX:
        silent.append(f"{len(missing)} rows are lost with one page")
    return [*silent, *(f"row {key} had ended" for key in seen.rows.keys() & filled.ended)]


def _reused(key: int, seen: Seen, filled: Filled, corrupted: Corrupted) -> list[str]:
    taken = seen.rows if corrupted.ends_early else filled.sent
    return ["a position is given again"] if position_of(key) <= max(map(position_of, taken), default=0) else []


def verify_and_check(corrupted: Corrupted, filled: Filled, folder: Path) -> list[str]:
    """Verifies and exports corrupted files as the commands do; returns what should not have been."""
    path = put(corrupted.files, folder)
    try:
        found = verify(str(path))
        findings = DamageReport()
        exported = [each.envelope for each in export(str(path), 0.0, findings, dead_letters=False)]
    except SpoolUnusable as refusal:
        return [] if "is empty" in str(refusal) else [f"{corrupted.what}: {refusal}"]
    sent = {unpack(row.data, AcceptedEnvelope).envelope_id for row in filled.sent.values()}
    wrong = [f"{each.envelope_id} was never sent" for each in exported if each.envelope_id not in sent]
    if len(exported) < len(filled.rows) and not corrupted.ends_early and not (findings.count and found.count):
        wrong.append(f"{len(filled.rows) - len(exported)} rows are lost in silence: {found}, {findings}")
    return [f"{corrupted.what}: {each}" for each in wrong]


async def sweep(one: Specimen, corrupts: Mapping[str, Corrupt], seeds: range, folder: Path) -> list[str]:
    """Each way with each seed, on the closed and on the left files; returns all that should not have been."""
    wrong: list[str] = []
    for seed in seeds:
        for name, corrupt in corrupts.items():
            for kind, files in (("closed", one.closed), ("left", one.left_open)):
                corrupted = corrupt(Random(f"{name} {kind} {seed}"), files)  # noqa: S311 - nothing to guess
                here = folder / f"{kind}-{name}-{seed}"
                try:
                    wrong += await asyncio.wait_for(open_and_check(corrupted, one.filled, here / "opened"), 60)
                    wrong += verify_and_check(corrupted, one.filled, here / "looked-at")
                except Exception as error:  # noqa: BLE001 - the sweep's last frame: what was raised is what it looks for
                    wrong.append(f"{name} {seed}, {corrupted.what}: {error!r}")
    return wrong
