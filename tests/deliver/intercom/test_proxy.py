"""Which proxy calls go through: the setting, the environment and its exceptions."""

import pytest

from intercomd_daemon.deliver.intercom.proxy import Proxy, ProxyInvalid, proxy_for

URL = "https://api.intercom.io"
PROXY = Proxy("http://proxy:3128")
SET = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("setting", "environment", "expected"),
    [
        ("", {}, None),
        ("", SET, PROXY),
        ("", {"https_proxy": "http://proxy:3128", "HTTPS_PROXY": "http://other:1"}, PROXY),
        ("", {"HTTPS_PROXY": "proxy:3128"}, PROXY),
        ("", {"HTTPS_PROXY": "", "HTTP_PROXY": "http://proxy:3128", "ALL_PROXY": "http://proxy:3128"}, None),
        ("none", SET, None),
        ("http://proxy:3128", {"HTTPS_PROXY": "http://other:1", "NO_PROXY": "*"}, PROXY),
        ("http://a%40b:p%3Aw@proxy:3128/", {}, Proxy("http://proxy:3128", "a@b", "p:w")),
    ],
)
def test_setting_takes_precedence_over_the_environment(
    setting: str, environment: dict[str, str], expected: Proxy | None
) -> None:
    assert proxy_for(URL, setting, environment) == expected


@pytest.mark.parametrize(
    ("url", "exceptions"),
    [
        (URL, "*"),
        (URL, "api.intercom.io"),
        (URL, "API.Intercom.IO"),
        (URL, "intercom.io"),
        (URL, ".intercom.io"),
        (URL, "*.intercom.io"),
        (URL, "example.com, .intercom.io"),
        (URL, "example.com intercom.io"),
        (URL, "intercom.io:443"),
        ("https://10.1.2.3", "10.0.0.0/8"),
        ("https://10.1.2.3:8443", "10.1.2.3:8443"),
        ("https://10.1.2.3", "10.1.2.3"),
        ("https://[2001:db8::1]", "2001:db8::/32"),
        ("https://[2001:db8::1]", "[2001:db8::1]:443"),
        ("https://127.0.0.1:8443", ""),
        ("https://localhost", ""),
        ("https://fake.localhost", ""),
        ("https://[::1]", ""),
        ("http://api.intercom.test", ""),
    ],
)
def test_exceptions_go_directly(url: str, exceptions: str) -> None:
    assert proxy_for(url, "", SET | {"NO_PROXY": exceptions}) is None


@pytest.mark.parametrize(
    ("url", "exceptions"),
    [
        (URL, "intercom.i"),
        (URL, "notintercom.io"),
        (URL, "tercom.io"),
        (URL, "intercom.io:8443"),
        (URL, "10.0.0.0/8"),
        (URL, ".,,"),
        ("https://10.1.2.3", "10.2.0.0/16"),
        ("https://10.1.2.3", "1.2.3"),
        ("https://[2001:db8::1]", "2001:db9::/32"),
    ],
)
def test_others_use_the_proxy(url: str, exceptions: str) -> None:
    assert proxy_for(url, "", SET | {"no_proxy": exceptions}) == PROXY


@pytest.mark.parametrize("text", ["socks5://me:secret@proxy:1080", "http://me:secret@", "http://me:secret@proxy:99999"])
def test_invalid_proxy_variable_is_named_without_its_credentials(text: str) -> None:
    with pytest.raises(ProxyInvalid, match="HTTPS_PROXY") as refused:
        proxy_for(URL, "", {"HTTPS_PROXY": text})
    assert "secret" not in str(refused.value)


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(proxy_for(URL, "http://me:secret@proxy:1", {}))
