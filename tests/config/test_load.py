"""The settings in force, from real files and variables; every problem at once, and no token anywhere."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from intercomd_daemon.config import LoadedSettings, Settings, describe, load
from intercomd_daemon.config.load import FILE_BYTES_MAX
from intercomd_daemon.errors import SettingsInvalid
from intercomd_daemon.setting.kinds import MIB

TOKEN = "hush-token-0123456789"
SHORT = {"INTERCOMD_APP_ID": "abc12345", "INTERCOMD_ACCESS_TOKEN": TOKEN}
WELL = '[connections.default]\napp_id = "abc"\naccess_token_file = "/run/secrets/token"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "intercomd.toml"


def of(file: Path, text: str, environment: Mapping[str, str] | None = None) -> LoadedSettings:
    file.write_text(text)
    return load(str(file), environment or {})


def problems_of(path: str | None, environment: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsInvalid) as raised:
        load(path, environment or {})
    return raised.value.problems


def test_app_id_and_token_variables_configure_the_default_connection() -> None:
    loaded = load(None, SHORT)
    connection = loaded.settings.connections["default"]
    assert (connection.app_id, connection.access_token.reveal()) == ("abc12345", TOKEN)
    assert loaded.settings.ingest == Settings().ingest
    assert loaded.warnings == ()


def test_missing_settings_are_named() -> None:
    assert problems_of(None) == [
        (
            "connections (not set): no connection is configured; set INTERCOMD_APP_ID and INTERCOMD_ACCESS_TOKEN, "
            "or write [connections.default] with app_id and access_token_file"
        )
    ]


def test_file_alone_configures_everything(file: Path) -> None:
    loaded = of(
        file,
        """
        [ingest]
        listen = ["127.0.0.1:0", "unix:/tmp/intercomd.sock"]
        request_bytes_max = "1MiB"
        [spool]
        url = "sqlite:spool.db"
        duplicate_window = "1h"
        [connections.eu-shop]
        app_id = "abc"
        access_token_file = "token"
        region = "eu"
        event_age_max = "48h"
        [connections.eu-shop.attribute_types]
        plan = "string"
        [connections.eu-shop.rate]
        share = 0.5
        """,
    )
    settings, connection = loaded.settings, loaded.settings.connections["eu-shop"]
    assert settings.ingest.listen == ("127.0.0.1:0", "unix:/tmp/intercomd.sock")
    assert settings.ingest.request_bytes_max == MIB
    assert (settings.spool.path, settings.spool.duplicate_window_seconds) == ("spool.db", 3600.0)
    assert (connection.name, connection.region, connection.event_age_max_seconds) == ("eu-shop", "eu", 172_800.0)
    assert (connection.attribute_types, connection.rate.share) == ({"plan": "string"}, 0.5)


def test_environment_overrides_the_file(file: Path) -> None:
    environment = {
        "INTERCOMD_LOG_LEVEL": "debug",
        "INTERCOMD_INGEST_LISTEN": "127.0.0.1:1,127.0.0.1:2",
        "INTERCOMD_CONNECTIONS_DEFAULT_RATE_SHARE": "0.25",
        "INTERCOMD_CONNECTIONS_DEFAULT_ATTRIBUTE_TYPES": "a=string,b=integer",
    }
    loaded = of(file, '[log]\nlevel = "error"\n' + WELL + "rate.share = 0.5\n", environment)
    connection = loaded.settings.connections["default"]
    assert loaded.settings.log.level == "debug"
    assert loaded.settings.ingest.listen == ("127.0.0.1:1", "127.0.0.1:2")
    assert connection.rate.share == 0.25
    assert connection.attribute_types == {"a": "string", "b": "integer"}


def test_each_key_has_its_origin(file: Path) -> None:
    loaded = of(file, '[log]\nformat = "console"\n' + WELL, {"INTERCOMD_LOG_LEVEL": "debug", "INTERCOMD_REGION": "eu"})
    origins = loaded.origins
    assert (origins["log.format"], origins["log.level"], origins["log.values"]) == (
        str(file),
        "INTERCOMD_LOG_LEVEL",
        "default",
    )
    assert origins["connections.default.region"] == "INTERCOMD_REGION"
    assert origins["connections.default.app_id"] == str(file)


def test_connection_of_the_environment_joins_those_of_the_file(file: Path) -> None:
    environment = {"INTERCOMD_CONNECTIONS_EU_APP_ID": "def", "INTERCOMD_CONNECTIONS_EU_ACCESS_TOKEN": TOKEN}
    assert list(of(file, WELL, environment).settings.connections) == ["default", "eu"]


def test_short_form_sets_the_only_connection_whatever_its_name(file: Path) -> None:
    loaded = of(file, WELL.replace("default", "eu-shop"), {"INTERCOMD_REGION": "eu"})
    assert loaded.settings.connections["eu-shop"].region == "eu"


def test_short_form_with_several_connections_is_a_problem(file: Path) -> None:
    """The problem names the full variable."""
    file.write_text(WELL + WELL.replace("default", "eu-shop"))
    assert problems_of(str(file), {"INTERCOMD_REGION": "eu"}) == [
        (
            "region (INTERCOMD_REGION): this applies to a single connection, and there are default, eu-shop; "
            "say which: INTERCOMD_CONNECTIONS_DEFAULT_REGION"
        )
    ]


def test_full_variable_wins_over_the_short_form() -> None:
    loaded = load(None, SHORT | {"INTERCOMD_REGION": "us", "INTERCOMD_CONNECTIONS_DEFAULT_REGION": "eu"})
    assert loaded.settings.connections["default"].region == "eu"
    assert loaded.warnings == (
        (
            "connections.default.region (INTERCOMD_REGION): "
            "not used, because INTERCOMD_CONNECTIONS_DEFAULT_REGION is set too"
        ),
    )


def test_unknown_variable_is_a_warning() -> None:
    loaded = load(None, SHORT | {"INTERCOMD_LOG_LEVL": "debug", "INTERCOMD_SERVICE_HOST": "10.0.0.1"})
    assert loaded.warnings == (
        "INTERCOMD_LOG_LEVL: no such setting, so it is ignored; did you mean INTERCOMD_LOG_LEVEL?",
    )


def test_problems_are_reported_together_with_key_origin_and_remedy(file: Path) -> None:
    file.write_text("""
        [ingest]
        envelopes_max = 0
        [spool]
        bytes_max = "1KiB"
        ur = "memory:"
        [connections.default]
        app_id = "not an id"
        api_key = "k"
        region = "uk"
        [connections.Bad]
    """)
    environment = {"INTERCOMD_LOG_LEVEL": "loud", "INTERCOMD_CONNECTIONS_DEFAULT_RATE_SHARE": "2"}
    problems = problems_of(str(file), environment)
    assert [problem.split("; ")[0] for problem in problems] == [
        f"spool.ur ({file}): no such setting",
        f"connections.default.api_key ({file}): Intercom issues no API keys any more",
        f'connections.Bad ({file}): "Bad" cannot name a connection',
        f"ingest.envelopes_max ({file}): 0 is not a whole number from 1 to 10000",
        f'spool.bytes_max ({file}): "1KiB" is out of range',
        f'connections.default.app_id ({file}): "not an id" does not fit',
        f'connections.default.region ({file}): "uk" is not one of the choices',
        (
            "connections.default.rate.share (INTERCOMD_CONNECTIONS_DEFAULT_RATE_SHARE): "
            "2.0 is not a number above 0 and up to 1"
        ),
        'log.level (INTERCOMD_LOG_LEVEL): "loud" is not one of the choices',
        "connections.default.access_token_file (not set): an active connection needs an access token",
    ]
    assert all("; " in problem for problem in problems)


def test_overridden_value_of_the_file_may_be_wrong(file: Path) -> None:
    loaded = of(file, '[log]\nlevel = "loud"\n' + WELL, {"INTERCOMD_LOG_LEVEL": "debug"})
    assert loaded.settings.log.level == "debug"


def test_file_may_begin_with_a_byte_order_mark(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + ('[log]\nlevel = "debug"\n' + WELL).encode())
    assert load(str(file), {}).settings.log.level == "debug"


def test_empty_file_with_a_byte_order_mark_is_empty(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf")
    assert [problem.split()[0] for problem in problems_of(str(file))] == ["connections"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[log", "this is not TOML: Expected ']' at the end of a table declaration"),
        (b"a = 1\na = 2", "this is not TOML: Cannot overwrite a value"),
        (b"\xef\xbb\xbf\xef\xbb\xbfa = 1", "this is not TOML"),
        ("a = 1".encode("utf-16"), "byte 0 is not UTF-8, which TOML is written in; save the file as UTF-8"),
        (b"a = " + b"[" * 20_000, "this is nested deeper than any settings"),
        (b"a = " + b"{a = " * 20_000, "this is nested deeper than any settings"),
        (b"a = '\xff'", "byte 5 is not UTF-8, which TOML is written in; save the file as UTF-8"),
    ],
)
def test_invalid_toml_is_reported_beside_wrong_variables(file: Path, content: bytes, problem: str) -> None:
    file.write_bytes(content)
    problems = problems_of(str(file), {"INTERCOMD_LOG_LEVEL": "loud"})
    assert problems[0].startswith(f"{file}: {problem}")
    assert [problem.split()[0] for problem in problems[1:]] == ["log.level"]


def test_unreadable_file_is_the_only_problem_of_its_absence(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    remedy = "name another, or set variables instead"
    assert problems_of(str(missing)) == [f"{missing}: the file cannot be read (No such file or directory); {remedy}"]
    assert problems_of(str(tmp_path)) == [f"{tmp_path}: the file cannot be read (Is a directory); {remedy}"]


@pytest.mark.fills("config.load.FILE_BYTES_MAX")
def test_larger_file_is_refused_unread(file: Path) -> None:
    """A file that never ends, such as a device, counts as one."""
    settings = b'[connections.default]\napp_id = "abc"\n'
    file.write_bytes(settings.ljust(FILE_BYTES_MAX, b"\n"))
    assert load(str(file), {"INTERCOMD_ACCESS_TOKEN": TOKEN}).settings.connections["default"].app_id == "abc"
    file.write_bytes(settings.ljust(FILE_BYTES_MAX + 1, b"\n"))
    for path in (str(file), "/dev/zero"):
        assert problems_of(path) == [f"{path} is larger than 1048576 bytes, the limit; is it another file?"]


def test_pipe_is_read_at_the_start_alone(file: Path) -> None:
    """A daemon that serves could wait for the pipe's other end."""
    os.mkfifo(file)
    writer = threading.Thread(target=file.write_text, args=('[connections.default]\napp_id = "abc"\n',))
    writer.start()
    assert load(str(file), {"INTERCOMD_ACCESS_TOKEN": TOKEN}).settings.connections["default"].app_id == "abc"
    writer.join()
    for path in (str(file), "/dev/null"):
        with pytest.raises(SettingsInvalid) as raised:
            load(path, {"INTERCOMD_ACCESS_TOKEN": TOKEN}, serving=True)
        assert raised.value.problems == [f"{path} is not a regular file; put one there"]


def test_token_in_the_file_is_taken_with_a_warning(file: Path) -> None:
    loaded = of(file, f'[connections.default]\napp_id = "abc"\naccess_token = "{TOKEN}"\n')
    assert loaded.settings.connections["default"].access_token.reveal() == TOKEN
    assert loaded.warnings == (
        (
            f"connections.default.access_token ({file}): anyone who can read this file has the token; "
            "move it to a file of its own and name that in access_token_file"
        ),
    )


def test_token_of_the_environment_overrides_the_token_file(file: Path) -> None:
    loaded = of(file, WELL, {"INTERCOMD_ACCESS_TOKEN": TOKEN})
    connection = loaded.settings.connections["default"]
    assert (connection.access_token.reveal(), connection.access_token_file) == (TOKEN, "")
    assert loaded.warnings == (
        f"connections.default.access_token_file ({file}): not used, because INTERCOMD_ACCESS_TOKEN is set",
    )


def test_empty_token_of_the_environment_is_ignored(file: Path) -> None:
    loaded = of(file, WELL, {"INTERCOMD_ACCESS_TOKEN": ""})
    assert loaded.settings.connections["default"].access_token_file == "/run/secrets/token"
    assert loaded.warnings == ()


def test_token_and_a_token_file_from_one_place_contradict() -> None:
    problems = problems_of(None, SHORT | {"INTERCOMD_CONNECTIONS_DEFAULT_ACCESS_TOKEN_FILE": "/token"})
    assert problems == [
        (
            "connections.default.access_token (INTERCOMD_ACCESS_TOKEN): "
            "access_token_file (INTERCOMD_CONNECTIONS_DEFAULT_ACCESS_TOKEN_FILE) is set too; keep one of the two"
        )
    ]


def test_effective_settings_are_shown_with_origins_without_tokens(file: Path) -> None:
    loaded = of(file, '[log]\nlevel = "debug"\n', SHORT)
    rows = describe(loaded)
    shown = {row.key: (row.value, row.origin) for row in rows}
    assert len(shown) == len(rows) == len(loaded.origins)
    assert shown["log.level"] == ('"debug"', str(file))
    assert shown["spool.bytes_max"] == ('"2GiB"', "default")
    assert shown["connections.default.access_token"] == ('"********"', "INTERCOMD_ACCESS_TOKEN")
    assert shown["connections.default.unchanged_for"] == ('"24h"', "default")
    assert TOKEN not in repr(rows)


def test_token_appears_in_no_problem_warning_or_repr(file: Path) -> None:
    """Wherever else something is wrong, and also where the token itself is."""
    loaded = of(file, f'[connections.default]\naccess_token = "{TOKEN}"\napp_id = "a"\n')
    assert TOKEN not in repr(loaded)
    file.write_text(f'[connections.default]\naccess_token = "{TOKEN} {TOKEN}"\nregion = "x"\naccess_token_fil = ""\n')
    for environment in ({}, SHORT, {"INTERCOMD_ACCESS_TOKEN": f"{TOKEN}\n{TOKEN}"}, {"INTERCOMD_API_KEY": TOKEN}):
        with pytest.raises(SettingsInvalid) as raised:
            load(str(file), environment)
        assert TOKEN not in "".join(raised.value.problems) + str(raised.value) + repr(raised.value)


@pytest.mark.parametrize(
    ("given", "age"),
    [("", '""'), ("CA", '"1h"'), ('CA\n[ingest]\nconnection_age_max = "30m"', '"30m"')],
)
def test_describe_shows_the_age_that_a_client_ca_sets(tmp_path: Path, given: str, age: str) -> None:
    """With a client CA it is an hour, unless it is set."""
    files = 'tls.certificate_file = "c"\ntls.key_file = "k"\ntls.client_ca_file = "a"'
    text = given.replace("CA\n[ingest]", f"[ingest]\n{files}").replace("CA", f"[ingest]\n{files}")
    path = tmp_path / "intercomd.toml"
    path.write_text(text)
    rows = {row.key: row for row in describe(load(str(path), SHORT))}
    assert rows["ingest.connection_age_max"].value == age
