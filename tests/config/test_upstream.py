"""Settings of an agent: what it needs, and what contradicts."""

from pathlib import Path

import pytest

from intercomd_daemon import config
from intercomd_daemon.errors import SettingsInvalid
from intercomd_daemon.forward.settings import UpstreamSettings, UpstreamTlsSettings


def load(folder: Path, text: str) -> config.LoadedSettings:
    file = folder / "intercomd.toml"
    file.write_text(text)
    return config.load(str(file), {})


def problems(folder: Path, text: str) -> str:
    with pytest.raises(SettingsInvalid) as error:
        load(folder, text)
    return str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        '[upstream]\ntarget = "gateway:50051"',
        '[upstream]\ntarget = "gateway:50051"\n[connections.default]\n[connections.eu]',
        '[upstream]\ntarget = "unix:/run/gateway.sock"\n[connections.default]\nactive = false',
    ],
)
def test_agent_needs_no_token_app_id_or_base_url(tmp_path: Path, text: str) -> None:
    loaded = load(tmp_path, text)
    assert not loaded.warnings
    assert "default" in loaded.settings.connections


def test_one_variable_makes_an_agent() -> None:
    loaded = config.load(None, {"INTERCOMD_UPSTREAM_TARGET": "dns:///gateway:50051"})
    assert (list(loaded.settings.connections), loaded.warnings) == (["default"], ())


@pytest.mark.parametrize(
    "target",
    ["gateway", "http://gateway:50051", "gateway:", ":50051", "dns:///gateway", "a b:1", "unix:", "gateway:123456"],
)
def test_target_that_gRPC_cannot_use_is_refused(tmp_path: Path, target: str) -> None:  # noqa: N802 - its name
    assert "upstream.target" in problems(tmp_path, f'[upstream]\ntarget = "{target}"')


@pytest.mark.parametrize(
    ("target", "insecure", "tls", "expected"),
    [
        ("127.0.0.1:50051", False, UpstreamTlsSettings(), False),
        ("unix:/run/gateway.sock", False, UpstreamTlsSettings(), False),
        ("dns:///localhost:50051", False, UpstreamTlsSettings(), False),
        ("[::1]:50051", False, UpstreamTlsSettings(), False),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", False, UpstreamTlsSettings(), False),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False, UpstreamTlsSettings(), True),
        ("dns:///gateway:50051", False, UpstreamTlsSettings(), True),
        ("gateway:50051", True, UpstreamTlsSettings(), False),
        ("127.0.0.1:50051", False, UpstreamTlsSettings(ca_file="ca.pem"), True),
    ],
)
def test_tls_is_used_beyond_this_machine(
    target: str, tls: UpstreamTlsSettings, *, insecure: bool, expected: bool
) -> None:
    assert UpstreamSettings(target=target, insecure=insecure, tls=tls).uses_tls is expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[upstream]\ntoken_file = "t"\n[connections.default]', "upstream.token_file"),
        ('[upstream]\ntarget = "g:1"\n[upstream.tls]\ncertificate_file = "c"', "upstream.tls.key_file"),
        ('[upstream]\ntarget = "g:1"\n[upstream.tls]\nkey_file = "k"', "upstream.tls.certificate_file"),
        ('[upstream]\ntarget = "g:1"\ninsecure = true\n[upstream.tls]\nca_file = "c"', "upstream.insecure"),
    ],
)
def test_contradiction_is_a_problem(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in problems(tmp_path, text)


def test_token_in_the_clear_is_a_warning(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[upstream]\ntarget = "gateway:50051"\ninsecure = true\ntoken_file = "t"')
    assert "in the clear" in loaded.warnings[0]


def test_token_in_the_clear_is_warned_of_for_each_target(tmp_path: Path) -> None:
    """The gateway's operations may be reached by a name, although its ingest address is on this machine."""
    text = '[upstream]\ntarget = "127.0.0.1:50051"\noperations_target = "gateway:9091"\ntoken_file = "t"\n'
    assert not load(tmp_path, text).warnings
    assert load(tmp_path, text).settings.upstream.operations_use_tls
    loaded = load(tmp_path, text + "insecure = true")
    (warning,) = loaded.warnings
    assert "the token travels to gateway:9091 in the clear" in warning
    assert not loaded.settings.upstream.operations_use_tls


@pytest.mark.parametrize("target", ["127.0.0.1:50051", "unix:/run/gateway.sock", "gateway:50051"])
def test_token_needs_no_operations_target(tmp_path: Path, target: str) -> None:
    loaded = load(tmp_path, f'[upstream]\ntarget = "{target}"\ntoken_file = "t"')
    assert not loaded.warnings
    assert not loaded.settings.upstream.operations_use_tls
