"""The custom attributes: what of a value is sent, as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.catalogue import (
    DAY_SECONDS,
    FRESH_SECONDS,
    KNOWN_MAX,
    REFUSED_MAX,
    REFUSED_SECONDS,
    Attribute,
    Catalogue,
    Fit,
    convert,
    type_of,
)
from intercomd_daemon.envelope import Scalar

NOW = 1_795_000_000.0


def catalogue(*attributes: Attribute, created_max: int = 20) -> Catalogue:
    known = Catalogue(ConnectionSettings(name="main", attributes_created_max=created_max))
    known.read(attributes, NOW)
    return known


def fit(known: Catalogue, name: str = "plan", value: Scalar = "gold", now: float = NOW) -> Fit:
    return known.fit(name, value, now).fit


@pytest.mark.parametrize(
    ("value", "data_type", "sent"),
    [
        ("gold", "string", "gold"),
        (5, "string", "5"),
        (0.5, "string", "0.5"),
        (True, "string", "true"),
        (False, "string", "false"),
        (5, "integer", 5),
        (5.0, "integer", 5),
        (5.5, "integer", None),
        ("5", "integer", 5),
        ("5.0", "integer", 5),
        ("5.5", "integer", None),
        (True, "integer", None),
        (5, "float", 5),
        (5.5, "float", 5.5),
        ("5.5", "float", 5.5),
        ("5", "float", 5),
        # Only the canonical form of a number says nothing more than the number.
        ("5.50", "float", None),
        ("007", "integer", None),
        ("1e5", "float", None),
        ("\uff11\uff12", "integer", None),
        ("1_000", "integer", None),
        ("inf", "float", None),
        ("nan", "float", None),
        ("", "float", None),
        ("many", "float", None),
        (False, "float", None),
        (True, "boolean", True),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("True", "boolean", None),
        ("yes", "boolean", None),
        (1, "boolean", None),
        (1.0, "boolean", None),
        (1_795_000_000, "date", 1_795_000_000),
        (1_795_000_000.0, "date", 1_795_000_000),
        (1_795_000_000.5, "date", None),
        ("1795000000", "datetime", 1_795_000_000),
        ("2026-11-18", "datetime", None),
        (True, "date", None),
        # A type that we don't know may take anything.
        ("gold", "options", "gold"),
        (5, "relationship", 5),
        (None, "integer", None),
        (None, "string", None),
    ],
)
def test_a_value_is_turned_into_the_type_if_nothing_is_lost(value: Scalar, data_type: str, sent: Scalar) -> None:
    fitting, converted = convert(value, data_type)
    assert (fitting, type(fitting)) == (sent, type(sent))
    assert converted is (sent is not None and type(sent) is not type(value))


TYPES = ["string", "integer", "float", "boolean", "date", "datetime", "options"]


@given(
    st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    st.sampled_from(TYPES),
)
def test_what_is_turned_stays_and_can_be_turned_back(value: Scalar, data_type: str) -> None:
    fitting, _ = convert(value, data_type)
    assert convert(fitting, data_type) == (fitting, False)
    if fitting is not None and isinstance(value, str):
        assert str(convert(fitting, "string")[0]).removesuffix(".0") == value.removesuffix(".0")


@pytest.mark.parametrize(
    ("value", "data_type"), [("gold", "string"), (1, "float"), (1.5, "float"), (True, "boolean"), (None, "string")]
)
def test_a_new_attribute_s_type_is_the_value_s_numbers_as_float(value: Scalar, data_type: str) -> None:
    assert type_of(value) == data_type


@pytest.mark.parametrize(
    ("attribute", "fitting", "why"),
    [
        (Attribute("plan"), Fit.SEND, ""),
        (Attribute("plan", archived=True), Fit.LEAVE_OUT, "archived"),
        (Attribute("plan", api_writable=False), Fit.LEAVE_OUT, "not writable"),
        (Attribute("plan", "integer"), Fit.LEAVE_OUT, "integer"),
        # A standard attribute of that name is none of ours.
        (Attribute("plan", custom=False), Fit.CREATE, ""),
    ],
)
def test_what_the_list_says_of_an_attribute(attribute: Attribute, fitting: Fit, why: str) -> None:
    fitted = catalogue(attribute).fit("plan", "gold", NOW)
    assert fitted.fit is fitting
    assert why in fitted.why


def test_there_is_nothing_to_clear_of_an_attribute_that_is_missing() -> None:
    assert fit(catalogue(), value=None) is Fit.LEAVE_OUT
    assert fit(catalogue(Attribute("plan")), value=None) is Fit.SEND
    assert fit(catalogue(Attribute("plan", "integer")), value=None) is Fit.SEND


@pytest.mark.parametrize(
    ("age", "stale"), [(0.0, False), (FRESH_SECONDS - 1, False), (FRESH_SECONDS, True), (-1.0, True), (-1e9, True)]
)
def test_the_list_is_good_for_ten_minutes_and_not_beyond_a_clock_that_is_set_back(age: float, stale: bool) -> None:
    assert catalogue().stale(NOW + age) is stale
    assert Catalogue(ConnectionSettings(name="main")).stale(0.0)


@pytest.mark.fills("attributes_created_max")
def test_so_many_attributes_are_created_a_day() -> None:
    known = catalogue(created_max=2)
    known.created("a", "string", NOW)
    known.created("b", "string", NOW + 10)
    assert fit(known, "c", now=NOW + 10) is Fit.LEAVE_OUT
    assert "attributes_created_max = 2" in known.fit("c", "x", NOW + 10).why
    assert fit(known, "c", now=NOW + DAY_SECONDS) is Fit.CREATE
    known.created("c", "string", NOW + DAY_SECONDS)
    assert fit(known, "d", now=NOW + DAY_SECONDS) is Fit.LEAVE_OUT
    assert fit(known, "a", now=NOW + DAY_SECONDS) is Fit.SEND


def test_a_refusal_is_remembered_for_an_hour() -> None:
    known = catalogue()
    known.refused("plan", "because", NOW)
    assert known.fit("plan", "gold", NOW + REFUSED_SECONDS - 1).why == "because"
    assert not known.absent("plan", NOW + REFUSED_SECONDS - 1)
    assert known.absent("plan", NOW + REFUSED_SECONDS)
    assert fit(known, now=NOW + REFUSED_SECONDS) is Fit.CREATE
    known.created("plan", "string", NOW + REFUSED_SECONDS)
    assert not known.absent("plan", NOW + REFUSED_SECONDS)


def test_a_clock_that_is_set_back_makes_neither_a_refusal_nor_the_limit_of_a_day_last_longer() -> None:
    known = catalogue(created_max=1)
    known.refused("plan", "because", NOW)
    known.created("other", "string", NOW)
    assert fit(known, now=NOW) is Fit.LEAVE_OUT
    assert fit(known, now=NOW - 365 * DAY_SECONDS) is Fit.CREATE


@pytest.mark.fills("deliver.catalogue.REFUSED_MAX")
def test_of_too_many_refusals_the_oldest_are_forgotten() -> None:
    known = catalogue()
    for number in range(REFUSED_MAX):
        known.refused(str(number), "because", NOW)
    known.refused("0", "because", NOW)
    known.refused("new", "because", NOW)
    assert [known.absent(name, NOW) for name in ("0", "1", "2", "new")] == [False, True, False, False]


def test_where_the_list_may_not_be_read_values_go_as_they_are_until_a_400_names_them() -> None:
    known = Catalogue(ConnectionSettings(name="main"))
    known.unreadable(NOW)
    assert not known.stale(NOW)
    assert known.fit("plan", "5", NOW).value == "5"
    assert fit(known, value=None) is Fit.SEND
    known.reported_missing("plan", NOW)
    assert fit(known) is Fit.CREATE
    known.created("plan", "string", NOW)
    assert fit(known) is Fit.SEND
    known.reported_missing("plan", NOW)
    assert fit(known) is Fit.LEAVE_OUT
    assert fit(known, "city") is Fit.SEND


def test_the_next_list_takes_every_doubt_away() -> None:
    known = catalogue(Attribute("plan"))
    known.reported_missing("plan", NOW)
    assert fit(known) is Fit.CREATE
    known.read([Attribute("plan")], NOW)
    assert fit(known) is Fit.SEND
    known.reported_missing("plan", NOW)
    assert fit(known) is Fit.CREATE


def test_of_too_many_doubts_the_next_is_given_up_at_once_so_that_no_call_goes_round_in_circles() -> None:
    known = catalogue()
    for number in range(REFUSED_MAX):
        known.reported_missing(str(number), NOW)
    known.reported_missing("plan", NOW)
    assert fit(known) is Fit.LEAVE_OUT


@pytest.mark.fills("deliver.catalogue.KNOWN_MAX")
def test_of_too_many_attributes_some_are_not_known() -> None:
    known = catalogue(*[Attribute(str(number)) for number in range(KNOWN_MAX + 1)])
    assert [known.absent(name, NOW) for name in ("0", str(KNOWN_MAX - 1), str(KNOWN_MAX))] == [False, False, True]
    known.created("new", "string", NOW)
    assert [known.absent(name, NOW) for name in ("0", "1", "new")] == [True, False, False]
