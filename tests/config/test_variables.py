"""Which variable is which setting, which is another program's, and which is a mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.config.findings import API_KEY_ADVICE, SettingFindings
from intercomd_daemon.config.setting_keys import keys_of
from intercomd_daemon.config.settings import TABLES, Settings
from intercomd_daemon.config.variables import Variables, variable

KEYS = keys_of(Settings)
TABLE_KEYS = {table: keys_of(entry) for table, entry in TABLES.items()}


def read(*names: str) -> tuple[Variables, SettingFindings]:
    findings = SettingFindings()
    environment = Variables(KEYS, TABLE_KEYS, findings)
    environment.read(dict.fromkeys(names, "value"))
    return environment, findings


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("INTERCOMD_INGEST_LISTEN", "ingest.listen"),
        ("INTERCOMD_SPOOL_DUPLICATE_WINDOW", "spool.duplicate_window"),
        ("INTERCOMD_OPERATIONS_GRPC_LISTEN", "operations.grpc_listen"),
        ("INTERCOMD_CONNECTIONS_DEFAULT_APP_ID", "connections.default.app_id"),
        ("INTERCOMD_CONNECTIONS_EU_SHOP_RATE_SHARE", "connections.eu-shop.rate.share"),
        ("INTERCOMD_CONNECTIONS_EU_ACCESS_TOKEN_FILE", "connections.eu.access_token_file"),
        ("INTERCOMD_CONNECTIONS_X_LIMITS_USER_ATTRIBUTES_MAX", "connections.x.limits.user_attributes_max"),
        ("INTERCOMD_CONNECTIONS_DEVELOPMENT_DEVELOPMENT_CONNECTION", "connections.development.development_connection"),
        ("INTERCOMD_CONNECTIONS_RATE_SHARE_ACTIVE", "connections.rate-share.active"),
        ("INTERCOMD_CONNECTIONS_COMMERCE_COMMERCE", "connections.commerce.commerce"),
        ("INTERCOMD_CONNECTIONS_A1_COMMERCE_FROM_WEB", "connections.a1.commerce_from_web"),
    ],
)
def test_variable_is_the_path_with_underscores(name: str, key: str) -> None:
    environment, findings = read(name)
    assert list(environment.given) == [key]
    assert environment.given[key].origin == name
    assert environment.given[key].is_text
    assert findings == SettingFindings()


@given(
    st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.sampled_from(list(TABLE_KEYS["connections"])),
)
def test_every_key_of_every_connection_has_a_variable(name: str, key: str) -> None:
    path = f"connections.{name}.{key}"
    environment, findings = read(variable(path))
    assert findings == SettingFindings()
    # A name that ends in the beginning of a longer key is that key's: "the longest known key at the end decides".
    longer = [
        other
        for other in TABLE_KEYS["connections"]
        if len(other) > len(key) and variable(path).endswith(variable(other)[9:])
    ]
    assert list(environment.given) == [path] or longer


@pytest.mark.parametrize("key", list(KEYS))
def test_every_key_of_a_section_has_a_variable(key: str) -> None:
    environment, findings = read(variable(key))
    assert list(environment.given) == [key]
    assert findings == SettingFindings()


def test_connection_is_named_once_however_many_variables_it_has() -> None:
    environment, _ = read("INTERCOMD_CONNECTIONS_EU_APP_ID", "INTERCOMD_CONNECTIONS_EU_REGION")
    assert environment.names == {"connections": ["eu"], "callers": []}


def test_short_forms_are_kept_apart() -> None:
    environment, findings = read("INTERCOMD_APP_ID", "INTERCOMD_ACCESS_TOKEN", "INTERCOMD_REGION", "INTERCOMD_BASE_URL")
    assert sorted(environment.short) == ["access_token", "app_id", "base_url", "region"]
    assert not environment.given
    assert findings == SettingFindings()


@pytest.mark.parametrize(
    "name",
    [
        "INTERCOMD_PORT",
        "INTERCOMD_SERVICE_HOST",
        "INTERCOMD_SERVICE_PORT",
        "INTERCOMD_SERVICE_PORT_GRPC",
        "INTERCOMD_PORT_50051_TCP",
        "INTERCOMD_PORT_50051_TCP_ADDR",
        "INTERCOMD_PORT_50051_TCP_PROTO",
        "INTERCOMD_PORT_50051_UDP_PORT",
        "INTERCOMD_GATEWAY_SERVICE_HOST",
        "INTERCOMD_CONNECTIONS_PORT_80_TCP",
        "PATH",
        "XINTERCOMD_LOG_LEVL",
    ],
)
def test_service_links_and_other_programs_variables_are_ignored(name: str) -> None:
    environment, findings = read(name)
    assert not environment.given
    assert findings == SettingFindings()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("INTERCOMD_LOG_LEVL", "did you mean INTERCOMD_LOG_LEVEL?"),
        ("INTERCOMD_ACCES_TOKEN", "did you mean INTERCOMD_ACCESS_TOKEN?"),
        ("INTERCOMD_QQQQ", "`intercomd config` shows what there is"),
        ("INTERCOMD_CONNECTIONS_EU_SHOP_RATE_SHAER", "did you mean INTERCOMD_CONNECTIONS_EU_SHOP_RATE_SHARE?"),
        ("INTERCOMD_CONNECTIONS_EU_ACCESS_TOKEN_PATH", "did you mean INTERCOMD_CONNECTIONS_EU_ACCESS_TOKEN_FILE?"),
        ("INTERCOMD_CONNECTIONS_ACTIVE", ""),
        ("INTERCOMD_CONNECTIONS_DEFAULT", ""),
        ("INTERCOMD_", ""),
    ],
)
def test_unknown_variable_is_a_warning(name: str, advice: str) -> None:
    environment, findings = read(name)
    assert not environment.given
    assert not findings.problems
    assert len(findings.warnings) == 1
    assert findings.warnings[0].startswith(f"{name}: no such setting, so it is ignored; ")
    assert findings.warnings[0].endswith(advice)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("INTERCOMD_API_KEY", f"api_key (INTERCOMD_API_KEY): {API_KEY_ADVICE}"),
        (
            "INTERCOMD_CONNECTIONS_EU_API_KEY",
            f"connections.eu.api_key (INTERCOMD_CONNECTIONS_EU_API_KEY): {API_KEY_ADVICE}",
        ),
        (
            "INTERCOMD_CONNECTIONS_1A_ACTIVE",
            (
                'connections.1a.active (INTERCOMD_CONNECTIONS_1A_ACTIVE): "1a" cannot name a connection; '
                "write [a-z][a-z0-9-]*: small letters, digits and -"
            ),
        ),
    ],
)
def test_variable_that_must_be_a_mistake_is_a_problem(name: str, problem: str) -> None:
    environment, findings = read(name)
    assert findings.problems == [problem]
    assert not environment.given
