"""Contradictions of the callers, with all that they depend on."""

from pathlib import Path

import pytest

from intercomd_daemon import config
from intercomd_daemon.errors import SettingsInvalid

HASH, OTHER = "a" * 64, "b" * 64
TLS = '[ingest.tls]\ncertificate_file = "/c"\nkey_file = "/k"\nclient_ca_file = "/ca"\n'


def problems(tmp_path: Path, text: str, **variables: str) -> list[str]:
    path = tmp_path / "intercomd.toml"
    path.write_text(f'{text}\n[connections.default]\napp_id = "abc"\naccess_token_file = "/token"\n')
    try:
        config.load(str(path), variables)
    except SettingsInvalid as error:
        return [problem.replace(str(path), "FILE") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f'[callers.a]\ntoken_sha256 = ["{HASH}"]\n[callers.b]\ntoken_sha256 = ["{HASH.upper()}"]',
            "callers.b.token_sha256 (FILE): aaaaaaaa… is in callers.a.token_sha256 too",
        ),
        (
            f'[callers.a]\ntoken_sha256 = ["{HASH}", "{HASH}"]',
            "callers.a.token_sha256 (FILE): aaaaaaaa… is in callers.a.token_sha256 too",
        ),
        (
            f'{TLS}[callers.a]\ncertificate_names = ["x://p/*"]\n[callers.b]\ncertificate_names = ["x://p/q"]',
            'callers.b.certificate_names (FILE): "x://p/q" and "x://p/*" of callers.a.certificate_names match the same',
        ),
        (
            f'{TLS}[callers.a]\ncertificate_names = ["*.internal", "a*.internal"]',
            'callers.a.certificate_names (FILE): "a*.internal" and "*.internal" of callers.a.certificate_names',
        ),
        (
            '[callers.a]\ncertificate_names = ["x://p/q"]',
            "callers.a.certificate_names (FILE): no listener verifies client certificates; set ingest.tls.client_ca",
        ),
        (
            f'[callers.a]\ntoken_sha256 = ["{HASH}"]\nconnections = ["defualt"]',
            "callers.a.connections (FILE): connection defualt is not configured; did you mean default?",
        ),
        (
            f'[callers.a]\ntoken_sha256 = ["{HASH}"]\nconnections = ["zzz"]',
            "callers.a.connections (FILE): connection zzz is not configured; write [connections.zzz], or leave it out",
        ),
        ('[callers.a]\ntoken_sha256 = ["abc"]', "callers.a.token_sha256 (FILE): an item does not fit; write a list of"),
        ('[callers.a]\noperations = "admin"', 'callers.a.operations (FILE): "admin" is not one of the choices'),
        ('[callers.a]\ntokens = ["x"]', "callers.a.tokens (FILE): no such setting"),
        ('[callers.A]\ntoken_file = "/t"', 'callers.A (FILE): "A" cannot name a caller'),
        ("callers = 1", "callers (FILE): this is not a table; write a caller's settings below [callers.billing]"),
    ],
)
def test_contradiction_is_named_with_the_fix(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith(problem)


def test_default_connection_must_exist(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text(f'[callers.a]\ntoken_sha256 = ["{HASH}"]\n[connections.eu]\napp_id = "a"\naccess_token_file = "/t"')
    with pytest.raises(SettingsInvalid, match=r"callers.a.connections \(default\): connection default is not conf"):
        config.load(str(path), {})


def test_callers_may_be_variables(tmp_path: Path) -> None:
    given = {
        "INTERCOMD_CALLERS_EU_SHOP_TOKEN_SHA256": f"{HASH}, {OTHER}",
        "INTERCOMD_CALLERS_EU_SHOP_CONNECTIONS": "*",
        "INTERCOMD_CALLERS_EU_SHOP_BYTES_PER_SECOND": "1MiB",
    }
    assert problems(tmp_path, "", **given) == []
    caller = config.load(str(tmp_path / "intercomd.toml"), given).settings.callers["eu-shop"]
    assert (caller.token_sha256, caller.connections, caller.bytes_per_second) == ((HASH, OTHER), ("*",), 1 << 20)


def test_caller_without_a_credential_is_a_warning(tmp_path: Path) -> None:
    assert problems(tmp_path, "[callers.a]\n") == []
    (warning,) = config.load(str(tmp_path / "intercomd.toml"), {}).warnings
    assert warning.startswith("callers.a (no credential): this caller has no credential; set token_sha256")


@pytest.mark.parametrize("value", ['["my-secret-token-in-the-wrong-place"]', '"my-secret-token-in-the-wrong-place"'])
def test_token_in_place_of_its_hash_is_not_shown(tmp_path: Path, value: str) -> None:
    (found,) = problems(tmp_path, f"[callers.a]\ntoken_sha256 = {value}")
    assert "write a list of SHA-256 hashes" in found
    assert "my-secret" not in found
