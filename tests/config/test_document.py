"""What a document holds is taken by key; what there is no key for is said, with what was meant."""

import tomllib

import pytest

from intercomd_daemon.config.document import Document
from intercomd_daemon.config.findings import API_KEY_ADVICE, RawValue, SettingFindings
from intercomd_daemon.config.setting_keys import keys_of
from intercomd_daemon.config.settings import TABLES, Settings


def read(text: str) -> tuple[Document, list[str]]:
    findings = SettingFindings()
    document = Document(
        "f.toml", keys_of(Settings), {table: keys_of(entry) for table, entry in TABLES.items()}, findings
    )
    document.read(tomllib.loads(text))
    return document, findings.problems


def test_values_have_the_file_as_their_origin() -> None:
    document, problems = read("""
        [log]
        level = "info"
        [connections.eu-shop]
        app_id = "a"
        attribute_types = {plan = "string"}
        rate.share = 0.5
        [connections.empty]
    """)
    assert not problems
    assert document.names == {"connections": ["eu-shop", "empty"], "callers": []}
    assert document.given == {
        "log.level": RawValue("info", "f.toml", is_text=False),
        "connections.eu-shop.app_id": RawValue("a", "f.toml", is_text=False),
        "connections.eu-shop.attribute_types": RawValue({"plan": "string"}, "f.toml", is_text=False),
        "connections.eu-shop.rate.share": RawValue(0.5, "f.toml", is_text=False),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("spol.url = 'x'", "spol (f.toml): no such setting; did you mean spool?"),
        ("connection.default.app_id = 'x'", "connection (f.toml): no such setting; did you mean connections?"),
        ("level = 'info'", "level (f.toml): no such setting; did you mean log.level?"),
        (
            "zzz = 1",
            (
                "zzz (f.toml): no such setting; here there are ingest, spool, operations, health, log, "
                "stopping, traces, fleet, upstream, connections, callers"
            ),
        ),
        (
            "'log.level' = 'info'",
            (
                "log.level (f.toml): no such setting; here there are ingest, spool, operations, health, log, "
                "stopping, traces, fleet, upstream, connections, callers"
            ),
        ),
        ("log.levl = 'info'", "log.levl (f.toml): no such setting; did you mean level?"),
        ("log.zzz = 1", "log.zzz (f.toml): no such setting; here there are format, level, values"),
        ("log = 'info'", "log (f.toml): this is not a section; write its settings below [log]"),
        (
            "connections.default.rate = 0.5",
            (
                "connections.default.rate (f.toml): this is not a section; "
                "write its settings below [connections.default.rate]"
            ),
        ),
        (
            "connections.default.share = 0.5",
            "connections.default.share (f.toml): no such setting; did you mean rate.share?",
        ),
        (
            "connections.default.limits.on_exces = 'trim'",
            "connections.default.limits.on_exces (f.toml): no such setting; did you mean on_excess?",
        ),
        (
            "connections = 5",
            "connections (f.toml): this is not a table; write a connection's settings below [connections.default]",
        ),
        (
            "connections.region = 'eu'",
            (
                "connections.region (f.toml): this is not a connection; "
                "write its settings below [connections.default], for example"
            ),
        ),
        (
            "connections.Shop.app_id = 'a'",
            (
                'connections.Shop (f.toml): "Shop" cannot name a connection; '
                "write [a-z][a-z0-9-]*: small letters, digits and -"
            ),
        ),
        ("connections.default.api_key = 'k'", f"connections.default.api_key (f.toml): {API_KEY_ADVICE}"),
        ("api_key = 'k'", f"api_key (f.toml): {API_KEY_ADVICE}"),
    ],
)
def test_unknown_key_is_a_problem_that_names_the_nearest(text: str, problem: str) -> None:
    document, problems = read(text)
    assert problems == [problem]
    assert not document.given


def test_problems_come_in_the_order_of_the_file() -> None:
    _, problems = read("zz = 1\n[connections.default]\nyy = 1\n[log]\nxx = 1")
    assert [problem.split()[0] for problem in problems] == ["zz", "connections.default.yy", "log.xx"]
