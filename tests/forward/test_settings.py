"""What the settings of an agent mean: whether it is one, and whether it uses TLS."""

import pytest

from intercomd_daemon.forward.settings import UpstreamSettings, UpstreamTlsSettings


def test_daemon_with_a_target_is_an_agent() -> None:
    assert not UpstreamSettings().on
    assert UpstreamSettings(target="gateway:50051").on


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("", True),
        ("unix:/run/intercomd.sock", True),
        ("127.0.0.1:50051", True),
        ("dns:///localhost:50051", True),
        ("ipv4:127.0.0.1:50051,127.0.0.2:50051", True),
        ("ipv4:127.0.0.1:50051,10.0.0.1:50051", False),
        ("dns:///gateway:50051", False),
    ],
)
def test_calls_beyond_this_machine_use_tls(target: str, local: bool) -> None:
    """Unless the operator allows plain text; and wherever TLS is set."""
    settings = UpstreamSettings(target=target, operations_target=target)
    assert settings.is_local is local
    assert (settings.uses_tls, settings.operations_use_tls) == (not local, not local)
    plain = UpstreamSettings(target=target, operations_target=target, insecure=True)
    assert (plain.uses_tls, plain.operations_use_tls) == (False, False)
    given = UpstreamSettings(target=target, operations_target=target, tls=UpstreamTlsSettings(server_name="gateway"))
    assert (given.uses_tls, given.operations_use_tls) == (True, True)
