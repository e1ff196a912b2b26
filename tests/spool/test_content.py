"""The interface by which one engine takes over what another one holds."""

from intercomd_daemon.spool.content import Content
from intercomd_daemon.spool.sqlite.content import SqliteContent


def test_file_offers_everything_that_an_engine_reads() -> None:
    methods = {name for name in vars(Content) if not name.startswith("_")}
    assert methods <= {name for name in vars(SqliteContent) if not name.startswith("_")}
    assert {"rows", "letters", "ids", "retire"} <= methods
