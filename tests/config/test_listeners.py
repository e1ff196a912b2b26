"""Contradictions of the listeners' settings, with all that they depend on."""

from pathlib import Path

import pytest

from intercomd_daemon import config
from intercomd_daemon.errors import SettingsInvalid


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "intercomd.toml"
    path.write_text(f'{text}\n[connections.default]\napp_id = "abc"\naccess_token_file = "/token"\n')
    try:
        config.load(str(path), {})
    except SettingsInvalid as error:
        return [problem.replace(str(path), "FILE") for problem in error.problems]
    return []


@pytest.mark.parametrize("section", ["ingest", "operations"])
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("certificate_file",), ["key_file"]),
        (("key_file",), ["certificate_file"]),
        (("client_ca_file",), ["certificate_file", "key_file"]),
        (("certificate_file", "client_ca_file"), ["key_file"]),
        (("key_file", "client_ca_file"), ["certificate_file"]),
        (("certificate_file", "key_file"), []),
        (("certificate_file", "key_file", "client_ca_file"), []),
    ],
)
def test_tls_needs_a_certificate_and_its_key(
    tmp_path: Path, section: str, given: tuple[str, ...], missing: list[str]
) -> None:
    found = problems(tmp_path, f"[{section}.tls]\n" + "".join(f'{key} = "/{key}"\n' for key in given))
    assert [problem.partition(" ")[0] for problem in found] == [f"{section}.tls.{key}" for key in missing]
    assert all(f"or leave out {section}.tls.{given[0]} (FILE)" in problem for problem in found)


def test_two_listeners_on_one_address_are_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, '[health]\nlisten = ["0.0.0.0:9091"]\n') == [
        (
            "health.listen (FILE): 0.0.0.0:9091 is taken by 127.0.0.1:9091 of operations.grpc_listen; "
            "give each listener an address of its own"
        )
    ]
