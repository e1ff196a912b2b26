"""Tests reading why a TLS handshake failed; tests/cli/test_client_options.py has real handshakes."""

import pytest

from intercomd_daemon.cli.tls_problem import find_tls_problem

HANDSHAKE = "ipv4:127.0.0.1:9091: Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1: "


@pytest.mark.parametrize(
    ("details", "cause"),
    [
        (HANDSHAKE + "WRONG_VERSION_NUMBER: Invalid certificate verification context", "it does not use TLS"),
        (HANDSHAKE + "CERTIFICATE_VERIFY_FAILED: self signed certificate", "its certificate comes from an authority"),
        (HANDSHAKE + "CERTIFICATE_VERIFY_FAILED: certificate has expired", "its certificate, or an authority of it"),
        ("UNAUTHENTICATED: Hostname Verification Check failed.", "its certificate is for another name"),
    ],
)
def test_problem_has_a_cause_and_a_fix_for_settings_and_options(details: str, cause: str) -> None:
    problem = find_tls_problem(f"failed to connect to all addresses; last error: UNKNOWN: {details}")
    assert problem is not None
    assert problem.cause.startswith(cause)
    assert problem.fix_in_settings
    assert problem.fix_of_options


@pytest.mark.parametrize("details", ["", "Connection refused", "Socket closed"])
def test_other_failures_are_no_problem_of_tls(details: str) -> None:
    assert find_tls_problem(details) is None
