"""What the settings of `[ingest]` mean: the age of connections, and who may use the Unix sockets."""

import pytest

from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.rpc.settings import TlsSettings
from intercomd_daemon.unix_socket import SocketPermissions


@pytest.mark.parametrize(("given", "client_ca", "age"), [(0.0, "", 0.0), (0.0, "ca.pem", 3600.0), (5.0, "ca.pem", 5.0)])
def test_connections_with_a_client_certificate_end_after_an_hour(given: float, client_ca: str, age: float) -> None:
    settings = IngestSettings(connection_age_max_seconds=given, tls=TlsSettings(client_ca_file=client_ca))
    assert settings.connection_age_seconds == age


def test_mode_of_unix_sockets_is_octal() -> None:
    assert IngestSettings(unix_mode="0620", unix_group="apps").unix_access == SocketPermissions(0o620, "apps")
