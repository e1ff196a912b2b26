import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.outcome import Progress
from intercomd_daemon.spool import record
from intercomd_daemon.spool.maintenance import FILE, DamageReport, Exported
from intercomd_daemon.spool.rows import position_of
from intercomd_daemon.spool.sqlite.checksum import row_checksum
from intercomd_daemon.spool.sqlite.repair.export import export
from spool import corruption
from spool.corruption import Specimen

Corrupt = Callable[..., None]
NOON = 1_750_000_000.0


def exported(path: Path, *, dead_letters: bool = False) -> tuple[list[Exported], DamageReport]:
    findings = DamageReport()
    return list(export(str(path), NOON, findings, dead_letters=dead_letters)), findings


def waiting(specimen: Specimen) -> list[Exported]:
    """What waits, in the order of its positions, over connections and priorities."""
    rows = sorted(specimen.filled.rows.items(), key=lambda each: position_of(each[0]))
    return [Exported(row.connection, record.unpack(row.data, AcceptedEnvelope)) for _, row in rows]


def test_export_is_in_order_of_acceptance_and_changes_nothing(spool: Path, specimen: Specimen) -> None:
    found, findings = exported(spool)
    assert found == waiting(specimen)
    assert {Priority.BULK, Priority.NORMAL} == {row.priority for row in specimen.filled.rows.values()}
    assert findings.count == 0
    assert spool.read_bytes() == specimen.closed[corruption.NAME]
    assert sorted(file.name for file in spool.parent.iterdir()) == ["spool.db", "spool.db.lock"]


def test_export_orders_dead_letters_by_first_acceptance(spool: Path, specimen: Specimen) -> None:
    found, findings = exported(spool, dead_letters=True)
    positions = {
        (row.connection, record.unpack(row.data, AcceptedEnvelope).envelope_id): position_of(key)
        for key, row in specimen.filled.sent.items()
    }
    order = [positions[connection, envelope.envelope_id] for connection, envelope in found]
    assert order == sorted(order)
    assert len(found) == len(specimen.filled.rows) + len(specimen.filled.letters)
    assert findings.count == 0


def test_export_of_a_killed_spool_includes_its_log(specimen: Specimen, tmp_path: Path) -> None:
    assert exported(corruption.put(specimen.left_open, tmp_path))[0] == waiting(specimen)


def test_export_reports_a_corrupt_row_and_exports_the_others(spool: Path, corrupt: Corrupt, specimen: Specimen) -> None:
    corrupt("UPDATE log SET data = x'00' WHERE key = (SELECT max(key) FROM log)")
    corrupt("UPDATE dead_letters SET seal = 1 WHERE id = (SELECT max(id) FROM dead_letters)")
    found, findings = exported(spool, dead_letters=True)
    assert len(found) == len(specimen.filled.rows) + len(specimen.filled.letters) - 2
    assert {damage.table for damage in findings.damages} == {"log", "dead_letters"}


def test_export_of_a_damaged_file_equals_its_repair_and_leaves_no_files(spool: Path, specimen: Specimen) -> None:
    with closing(sqlite3.connect(spool)) as database:
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'log'").fetchone()[0]
    content = spool.read_bytes()
    corrupted = content[: (page - 1) * corruption.PAGE] + bytes(corruption.PAGE) + content[page * corruption.PAGE :]
    spool.write_bytes(corrupted)
    found, findings = exported(spool)
    assert found == waiting(specimen)
    assert [damage.table for damage in findings.damages] == [FILE]
    assert spool.read_bytes() == corrupted
    assert sorted(file.name for file in spool.parent.iterdir()) == ["spool.db", "spool.db.lock"]


def test_export_reports_a_record_of_a_later_release(spool: Path) -> None:
    later = record.pack(Progress())
    with closing(sqlite3.connect(spool)) as database:
        database.execute("UPDATE log SET data = ? WHERE key = (SELECT max(key) FROM log)", (later,))
        number = database.execute("SELECT max(id) FROM dead_letters").fetchone()[0]
        change = "UPDATE dead_letters SET connection = 1, priority = 1, data = ?, seal = ? WHERE id = ?"
        database.execute(change, (later, row_checksum(number, 1, 1), number))
        database.commit()
    _, findings = exported(spool, dead_letters=True)
    assert [damage.reason for damage in findings.damages] == [
        "the record is of another release: export it with that release"
    ] * 2


def test_export_refuses_a_file_that_is_not_a_spool(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.touch()
    with pytest.raises(SpoolUnusable, match="is empty"):
        exported(path)
