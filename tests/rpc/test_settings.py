"""What the settings of `[ingest.tls]` and `[operations.tls]` mean."""

from intercomd_daemon.rpc.settings import TlsSettings


def test_listener_with_a_certificate_uses_tls() -> None:
    assert not TlsSettings().on
    assert TlsSettings(certificate_file="server.pem").on
