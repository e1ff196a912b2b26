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


OPEN = "LISTEN\n"


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


CALLER = f'[callers.shop]\ntoken_sha256 = ["{"a" * 64}"]\n'
MUTUAL = 'tls.certificate_file = "/c"\ntls.key_file = "/k"\ntls.client_ca_file = "/ca"\n'
TLS_ALONE = 'tls.certificate_file = "/c"\ntls.key_file = "/k"\n'


@pytest.mark.parametrize(
    ("address", "others", "refused"),
    [
        ("0.0.0.0:50051", "", True),
        ("[::]:50051", "", True),
        ("10.1.2.3:50051", "", True),
        ("gateway.internal:50051", "", True),
        ("localhost.internal:50051", "", True),
        ("[::ffff:127.0.0.1]:50051", "", True),
        ("0.0.0.0:50051", TLS_ALONE, True),
        ("0.0.0.0:50051", "insecure = false\n", True),
        ("0.0.0.0:50051", MUTUAL, False),
        ("0.0.0.0:50051", "insecure = true\n", False),
        ("0.0.0.0:50051", CALLER, False),
        ("127.0.0.1:50051", "", False),
        ("127.8.9.1:50051", "", False),
        ("localhost:50051", "", False),
        ("[::1]:50051", "", False),
        ("unix:/run/intercomd.sock", "", False),
    ],
)
@pytest.mark.parametrize("key", ["ingest.listen", "operations.listen", "operations.grpc_listen"])
def test_open_address_needs_callers_a_client_ca_or_the_operators_word(
    tmp_path: Path, key: str, address: str, others: str, refused: bool
) -> None:
    address = address.replace("50051", "50059")  # Another one than the default of ingest.
    section, _, name = key.partition(".")
    value = f'["{address}"]' if section == "ingest" else f'"{address}"'
    found = problems(tmp_path, f"[{section}]\n{name} = {value}\n{others}")
    assert len(found) == refused
    if refused:
        assert found[0].startswith(f"{key} (FILE): everyone who reaches {address}")
        for choice in ("[callers.<name>]", f"{section}.tls.client_ca_file", f"INTERCOMD_{section.upper()}_INSECURE"):
            assert choice in found[0]


def test_open_operations_without_callers_are_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    text = '[operations]\ngrpc_listen = "0.0.0.0:9091"\ninsecure = true\n[connections.default]\napp_id = "a"\n'
    path.write_text(text + 'access_token_file = "/t"\n')
    (warning,) = config.load(str(path), {}).warnings
    assert warning.startswith(f"operations.grpc_listen ({path}): everyone who reaches 0.0.0.0:9091 has full access")
    path.write_text(f'{text}access_token_file = "/t"\n{CALLER}')
    assert not config.load(str(path), {}).warnings


def test_health_may_be_open(tmp_path: Path) -> None:
    assert problems(tmp_path, '[health]\nlisten = ["0.0.0.0:9092"]\n') == []


@pytest.mark.parametrize("section", ["ingest", "operations"])
@pytest.mark.parametrize(
    ("key", "others"),
    [
        ("tls.certificate_file", 'tls.key_file = "/key"\n'),
        ("tls.key_file", 'tls.certificate_file = "/certificate"\n'),
        ("tls.client_ca_file", OPEN),
        ("tls.client_ca_file", '[callers.a]\ncertificate_names = ["a.internal"]\n'),
        ("insecure", OPEN),
    ],
)
def test_wrong_value_is_the_only_problem(tmp_path: Path, section: str, key: str, others: str) -> None:
    """What depends on it cannot be judged yet."""
    others = others.replace("LISTEN", 'listen = ["0.0.0.0:1"]' if section == "ingest" else 'listen = "0.0.0.0:1"')
    (problem,) = problems(tmp_path, f"[{section}]\n{key} = 5\n{others}")
    assert problem.startswith(f"{section}.{key} (FILE): 5 ")
