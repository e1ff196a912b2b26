"""A spool that 0.1 wrote is verified, exported, repaired, upgraded and delivered.

`spool_0_1.db.gz` is what `write_spool_0_1.py` wrote with the code of 0.1.
"""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from delivery.worker import delivering, settings_for
from intercomd_daemon.envelope import AcceptedEnvelope, TrackEvent, UpdateContact
from intercomd_daemon.outcome import EffectKind, Outcome, OutcomeType
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.maintenance import DamageReport
from intercomd_daemon.spool.rows import DeadLetterFilter
from intercomd_daemon.spool.sqlite import schema
from intercomd_daemon.spool.sqlite.engine import open_spool
from intercomd_daemon.spool.sqlite.maintenance import SqliteMaintenance
from intercomd_daemon.spool.sqlite.settings import SqliteSettings

NOON = 1_795_000_000
UPDATE, EMAIL = UpdateContact({"plan": "pro"}), UpdateContact({})
ONE, TWO = TrackEvent("one", NOON, b'{"n":1.50}'), TrackEvent("two", NOON + 1, b'{"n":1.50}')
WAITING = {
    "both": (UPDATE, ONE, TWO),
    "event": (EMAIL, ONE, TWO),
    "update": (UPDATE,),
    "half": (UPDATE, ONE, TWO),
    "half-email": (EMAIL, ONE, TWO),
    "half-plain": (ONE, TWO),
    "parked": (UPDATE, ONE),
    "replayed": (TWO,),
}
DEAD = {"dead-email": (EMAIL, ONE, TWO), "dead": (UPDATE, ONE, TWO)}
# The kind and the operation of each effect, those of 0.1 included.
EFFECTS = {
    "both": [(EffectKind.CONTACT, 0), (EffectKind.EVENT, 1), (EffectKind.EVENT, 2)],
    "event": [(EffectKind.CONTACT, 0), (EffectKind.EVENT, 1), (EffectKind.EVENT, 2)],
    "update": [(EffectKind.CONTACT, 0)],
    "half": [(EffectKind.CONTACT, 0), (EffectKind.EVENT, 1), (EffectKind.EVENT, 2)],
    "half-email": [(EffectKind.CONTACT, 0), (EffectKind.EVENT, 1), (EffectKind.EVENT, 2)],
    "half-plain": [(EffectKind.EVENT, 0), (EffectKind.EVENT, 1)],
    "parked": [(EffectKind.CONTACT, 0), (EffectKind.EVENT, 1)],
    "replayed": [(EffectKind.EVENT, 0)],
}
# Events that 0.1 had tracked are not tracked again.
TRACKED = 3 * ["one"] + 6 * ["two"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "spool.db"
    file.write_bytes(gzip.decompress(Path(__file__).with_name("spool_0_1.db.gz").read_bytes()))
    return file


def operations(envelopes: list[AcceptedEnvelope]) -> dict[str, object]:
    return {envelope.envelope_id: envelope.operations for envelope in envelopes}


def test_spool_of_0_1_is_verified_and_exported(path: Path) -> None:
    with SqliteMaintenance().lock(str(path)) as closed:
        found = closed.verify()
        assert (found.damages, found.contents.waiting, found.contents.dead_letters) == ([], 8, 2)
        findings = DamageReport()
        exported = [each.envelope for each in closed.export(NOON, findings, dead_letters=True)]
        assert operations(exported) == {**WAITING, **DEAD}
        assert findings.damages == []


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        version: int = database.execute("PRAGMA user_version").fetchone()[0]
        return version


def test_spool_of_0_1_keeps_its_version_while_it_is_only_read(path: Path) -> None:
    with SqliteMaintenance().lock(str(path)) as closed:
        closed.verify()
        list(closed.export(NOON, DamageReport(), dead_letters=True))
    assert version_of(path) == 1_000


async def test_spool_of_0_1_is_upgraded_when_it_is_opened(path: Path) -> None:
    """0.1 refuses every major version but 1, so it cannot quarantine what 0.2 appends."""
    await (await opened(path)).close()
    assert version_of(path) == schema.VERSION
    assert schema.VERSION // 1_000 > 1
    spool = await opened(path)
    assert spool.usage().connections["default"].normal == len(WAITING)
    await spool.close()


def test_spool_of_0_1_is_upgraded_by_a_repair(path: Path) -> None:
    with SqliteMaintenance().lock(str(path)) as closed:
        closed.repair(NOON)
    assert version_of(path) == schema.VERSION


def test_spool_of_0_1_is_repaired(path: Path) -> None:
    with SqliteMaintenance().lock(str(path)) as closed:
        contents = closed.repair(NOON).contents
        assert (contents.waiting, contents.dead_letters, contents.lost) == (8, 2, 0)
        exported = [each.envelope for each in closed.export(NOON, DamageReport(), dead_letters=True)]
        assert operations(exported) == {**WAITING, **DEAD}


async def opened(path: Path) -> Spool:
    return await open_spool(SqliteSettings(str(path), free_bytes_min=0))


async def test_spool_of_0_1_is_delivered(path: Path) -> None:
    """Each envelope continues after its last effect, and has the effects of all its operations."""
    spool = await opened(path)
    async with Sandbox(SandboxSettings(rate_limit=0)) as sandbox:
        async with delivering(spool, settings_for(sandbox)) as (_, notes):
            await notes.until(lambda made: len(made.outcomes) == len(WAITING))
        assert effects_of(notes.outcomes) == EFFECTS
        assert {outcome.type for outcome in notes.outcomes} == {OutcomeType.DELIVERED}
        assert sorted(event.name for event in sandbox.events) == TRACKED
    await spool.close()


def effects_of(outcomes: list[Outcome]) -> dict[str, list[tuple[EffectKind, int]]]:
    return {
        outcome.envelope_id: [(effect.kind, effect.operation) for effect in outcome.effects] for outcome in outcomes
    }


async def test_dead_letters_of_0_1_are_replayed(path: Path) -> None:
    """A replay holds the refused operations alone."""
    spool = await opened(path)
    letters = await spool.dead_letters(DeadLetterFilter(), 0, 9)
    assert operations([letter.envelope for letter in letters]) == DEAD
    assert await spool.replay(DeadLetterFilter(), 2) == 2
    for name, refused in (("dead-email", (ONE,)), ("dead", (TWO,))):
        waiting = await spool.waiting("default", name)
        assert waiting is not None
        assert waiting.operations == refused
    await spool.close()
