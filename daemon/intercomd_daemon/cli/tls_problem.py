"""Reads what gRPC's TLS library reports of a failed handshake, and returns what is wrong with the fix. Pure."""

from types import MappingProxyType
from typing import NamedTuple


class TlsProblem(NamedTuple):
    """Why a server cannot be called over TLS."""

    cause: str
    fix_in_settings: str
    """For an agent that calls its gateway."""
    fix_of_options: str
    """For a command that calls a daemon."""


_UNTRUSTED = TlsProblem(
    "its certificate comes from an authority that is not trusted",
    "put this authority into upstream.tls.ca_file",
    "give this authority with --ca-file",
)
_PROBLEMS = MappingProxyType(
    {
        "Hostname Verification Check failed": TlsProblem(
            "its certificate is for another name",
            "set upstream.tls.server_name to a name of the certificate, or call the gateway by one",
            "give a name of the certificate with --server-name, or call the daemon by one",
        ),
        "certificate has expired": TlsProblem(
            "its certificate, or an authority of it, has expired", "renew it", "renew it"
        ),
        "certificate is not yet valid": TlsProblem(
            "its certificate is not valid yet",
            "replace it, or correct the clock of this host or the gateway",
            "replace it, or correct the clock of this host or the daemon's",
        ),
        "unable to get local issuer certificate": _UNTRUSTED,
        "self signed certificate": _UNTRUSTED,
        "WRONG_VERSION_NUMBER": TlsProblem(
            "it does not use TLS",
            "turn TLS on there, or set upstream.insecure = true",
            "leave out --tls and the certificates, or give the address of another listener",
        ),
    }
)
"""By a text in the details of the call's status."""


def find_tls_problem(details: str) -> TlsProblem | None:
    """Returns the problem that the details of a call report; None: another one, or none of TLS."""
    return next((problem for mark, problem in _PROBLEMS.items() if mark in details), None)
