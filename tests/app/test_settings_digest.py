"""Settings that daemons of a fleet should share have one digest, whatever host they run on."""

from collections.abc import Callable
from pathlib import Path

from intercomd_daemon import config
from intercomd_daemon.app.settings_digest import digests_of, join_fleet

Load = Callable[..., config.Settings]


def test_sections_that_differ_have_other_digests(load: Load) -> None:
    one = digests_of(load("http://127.0.0.1:1"))
    two = digests_of(load("http://127.0.0.1:1", connections={"default": {"unchanged_for": "1h"}}))
    assert one.keys() == {"spool", "fleet.lease", "connections.default"}
    assert {name for name in one if one[name] != two[name]} == {"connections.default"}
    assert digests_of(load("http://127.0.0.1:1", fleet={"lease": "20s"}))["fleet.lease"] != one["fleet.lease"]


def test_secrets_and_files_of_a_host_do_not_count(load: Load, tmp_path: Path) -> None:
    one = digests_of(load("http://127.0.0.1:1"))
    (tmp_path / "other").write_text("another-token")
    other = load("http://127.0.0.1:1", connections={"default": {"access_token_file": str(tmp_path / "other")}})
    assert digests_of(other) == one
    assert digests_of(load("http://127.0.0.1:1", fleet={"daemon_id": "b"})) == one


def test_daemon_with_a_spool_of_its_own_joins_no_fleet(load: Load) -> None:
    join_fleet(None, load("http://127.0.0.1:1"), lambda: None)
