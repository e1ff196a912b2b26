"""Local targets never use a proxy."""

import pytest

from intercomd.proxies import is_local, proxy_options

LOCAL = [
    "127.0.0.1:50051",
    "127.9.9.9:1",
    "localhost:50051",
    "LOCALHOST:50051",
    "localhost.:50051",
    "daemon.localhost:50051",
    "localhost",
    "127.0.0.1",
    "[::1]:50051",
    "::1",
    "[::ffff:127.0.0.1]:1",
    "dns:localhost:50051",
    "dns:///localhost:50051",
    "dns://8.8.8.8/127.0.0.1:50051",
    "ipv4:127.0.0.1:50051",
    "ipv4:127.0.0.1:1,127.0.0.2:2",
    "ipv6:[::1]:50051",
    "ipv6:%5B::1%5D:50051",
    "unix:/run/intercomd.sock",
    "unix:///run/intercomd.sock",
    "unix:relative.sock",
    "unix-abstract:intercomd",
    "UNIX:/run/intercomd.sock",
]
ELSEWHERE = [
    "intercomd:50051",
    "10.0.0.7:50051",
    "0.0.0.0:50051",
    "[2001:db8::1]:50051",
    "dns:///gateway.example:443",
    "localhost.example:50051",
    "ipv4:127.0.0.1:1,10.0.0.1:1",
    "127.0.0.1.example:1",
    "xds:///intercomd",
    "",
]


@pytest.mark.parametrize("target", LOCAL)
def test_local_target_uses_no_proxy(target: str) -> None:
    assert is_local(target)
    assert proxy_options(target) == (("grpc.enable_http_proxy", 0),)


@pytest.mark.parametrize("target", ELSEWHERE)
def test_other_targets_are_left_to_grpc(target: str) -> None:
    assert not is_local(target)
    assert proxy_options(target) == ()
