"""Who a credential belongs to, and what a caller may do."""

from hashlib import sha256

import pytest

from intercomd_daemon.errors import ConnectionNotAllowed, OperationsNotAllowed
from intercomd_daemon.rpc.callers import (
    ANYONE,
    CERTIFICATE_HOLDER,
    TOKEN_CHARACTERS_MIN,
    Caller,
    Callers,
    Level,
    bearer_token,
    hash_of,
)
from intercomd_daemon.rpc.settings import CallerSettings

TOKEN, OTHER = "a" * 32, "b" * 40
BILLING = CallerSettings(
    name="billing",
    token_sha256=(sha256(TOKEN.encode()).hexdigest(),),
    certificate_names=("spiffe://prod/billing/*", "*.billing.internal"),
    operations="read",
)
SHOP = CallerSettings(name="shop", certificate_names=("spiffe://prod/shop/*",), connections=("*",), operations="write")
CALLERS = Callers({"billing": BILLING, "shop": SHOP}, {"shop": (hash_of(OTHER),)})


def test_caller_is_found_by_the_hash_of_its_token() -> None:
    assert CALLERS.by_hash(hash_of(TOKEN)) == Caller("billing", frozenset({"default"}), Level.READ)
    assert CALLERS.by_hash(hash_of(OTHER)) == Caller("shop", None, Level.WRITE)
    assert CALLERS.by_hash(hash_of("c" * 32)) is None


def test_callers_without_credentials_count() -> None:
    assert Callers({"nobody": CallerSettings(name="nobody")}, {})
    assert not Callers({}, {})


def test_short_token_has_no_hash() -> None:
    assert hash_of("a" * TOKEN_CHARACTERS_MIN) == sha256(b"a" * 32).hexdigest()
    assert hash_of("a" * (TOKEN_CHARACTERS_MIN - 1)) == ""


@pytest.mark.parametrize(
    ("uris", "dns_names", "name"),
    [
        (["spiffe://prod/billing/api"], [], "billing"),
        (["spiffe://prod/billing/api", "spiffe://prod/billing/job"], ["x.example"], "billing"),
        ([], ["eu.billing.internal"], "billing"),
        (["spiffe://prod/shop/api"], ["eu.shop.internal"], "shop"),
        (["spiffe://prod/shop/api"], ["eu.billing.internal"], None),
        (["spiffe://prod/other/api"], [], None),
        ([], [], None),
        # A name of one kind is never compared with a pattern of the other.
        (["eu.billing.internal"], [], None),
        ([], ["spiffe://prod/shop/api"], None),
    ],
)
def test_certificate_belongs_to_the_one_caller_of_its_names(
    uris: list[str], dns_names: list[str], name: str | None
) -> None:
    caller = CALLERS.by_names(uris, dns_names)
    assert (caller and caller.name) == name


@pytest.mark.parametrize(
    ("values", "token"),
    [
        (["Bearer abc"], "abc"),
        (["bearer abc"], "abc"),
        (["BEARER  abc "], "abc"),
        (["Basic abc"], ""),
        (["abc"], ""),
        (["Bearer"], ""),
        ([""], ""),
        (["Bearer abc", "Bearer abc"], ""),
        ([], ""),
    ],
)
def test_one_authorization_header_has_the_token(values: list[str], token: str) -> None:
    assert bearer_token(values) == token


def test_permission_is_checked_before_existence() -> None:
    caller = Caller("billing", frozenset({"default"}), Level.NONE)
    caller.check_connection("default")
    for name in ("eu", "no-such-connection", "", "*"):
        with pytest.raises(ConnectionNotAllowed) as refused:
            caller.check_connection(name)
        assert refused.value.connection == name
        assert str(refused.value).endswith("add it to callers.billing.connections")
    ANYONE.check_connection("no-such-connection")
    assert not Caller("none", frozenset(), Level.NONE).may_use("default")


@pytest.mark.parametrize("has", Level)
@pytest.mark.parametrize("needs", Level)
def test_level_includes_those_before_it(has: Level, needs: Level) -> None:
    caller = Caller("billing", None, has)
    if has >= needs:
        caller.check_level(needs, "GetStatus", everywhere=True)
        return
    message = rf'GetStatus needs operations = "{needs.name.lower()}" in \[callers\.billing\]'
    with pytest.raises(OperationsNotAllowed, match=message):
        caller.check_level(needs, "GetStatus")


def test_some_actions_need_every_connection() -> None:
    caller = Caller("billing", frozenset({"default"}), Level.WRITE)
    caller.check_level(Level.WRITE, "PauseConnection")
    with pytest.raises(OperationsNotAllowed, match=r'Reload needs connections = \["\*"\]'):
        caller.check_level(Level.WRITE, "Reload", everywhere=True)


def test_certificate_without_callers_publishes_everywhere_and_operates_nothing() -> None:
    CERTIFICATE_HOLDER.check_connection("any")
    with pytest.raises(OperationsNotAllowed):
        CERTIFICATE_HOLDER.check_level(Level.STATUS, "GetStatus")
