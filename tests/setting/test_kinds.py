"""Each kind by a table: what it reads, from TOML and from a variable's text, and what it says of the rest."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.setting import kinds
from intercomd_daemon.setting.kinds import GIB, KIB, MIB, ValueKind
from intercomd_daemon.setting.secret import Secret

TEXT = kinds.text("an id", r"[a-z]*", 5)
CHOICE = kinds.choice("us", "eu", "au")
BOOLEAN = kinds.boolean()
INTEGER = kinds.integer(1, 500)
SHARE = kinds.share()
SIZE = kinds.size(KIB, GIB)
DURATION = kinds.duration(0.1, 86_400.0)
AGE = kinds.duration(1.0, 86_400.0, none=True)
TYPES = kinds.attribute_types()

PLACEHOLDERS = kinds.texts("texts", r"(?s).+", lower=True)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (TEXT, "abc", "abc"),
        (TEXT, "", ""),
        (CHOICE, "eu", "eu"),
        (BOOLEAN, True, True),
        (BOOLEAN, False, False),
        (INTEGER, 1, 1),
        (INTEGER, 500, 500),
        (SHARE, 1, 1.0),
        (SHARE, 0.25, 0.25),
        (SIZE, "4MiB", 4 * MIB),
        (SIZE, "4 MiB", 4 * MIB),
        (SIZE, "1.5KiB", 1536),
        (SIZE, "2MB", 2_000_000),
        (SIZE, "2048B", 2048),
        (SIZE, 4096, 4096),
        (DURATION, "24h", 86_400.0),
        (DURATION, "1d", 86_400.0),
        (DURATION, "250ms", 0.25),
        (DURATION, "1h30m", 5_400.0),
        (DURATION, "1.5s", 1.5),
        (AGE, "", 0.0),
        (kinds.size(KIB, GIB, none=True), "", 0),
        (AGE, "48m", 2_880.0),
        (TYPES, {}, {}),
        (TYPES, {"plan": "string", "since": "datetime"}, {"plan": "string", "since": "datetime"}),
    ],
)
def test_valid_value_is_read(kind: ValueKind, raw: object, value: object) -> None:
    read = kind.read(raw)
    assert read == value


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (TEXT, "abc", "abc"),
        (BOOLEAN, "true", True),
        (BOOLEAN, " False ", False),
        (BOOLEAN, "1", True),
        (BOOLEAN, "0", False),
        (INTEGER, "500", 500),
        (SHARE, "0.5", 0.5),
        (SIZE, "4MiB", 4 * MIB),
        (SIZE, "4096", 4096),
        (DURATION, "24h", 86_400.0),
        (TYPES, "plan=string, seats = integer,", {"plan": "string", "seats": "integer"}),
        (TYPES, "", {}),
        (kinds.secret(), " abc\n", Secret("abc")),
    ],
)
def test_valid_variable_is_read(kind: ValueKind, text: str, value: object) -> None:
    assert kind.read(kind.from_text(text)) == value


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        (TEXT, "abcdef", '"abcdef" does not fit; write an id, printable and of at most 5 characters'),
        (TEXT, "A", '"A" does not fit; write an id, printable and of at most 5 characters'),
        (TEXT, 5, "5 does not fit; write an id, printable and of at most 5 characters"),
        (kinds.text(), "a\nb", r'"a\nb" does not fit; write text, printable and of at most 255 characters'),
        (kinds.text(), "\udc80", '"?" does not fit; write text, printable and of at most 255 characters'),
        (CHOICE, "uk", '"uk" is not one of the choices; write "us", "eu" or "au"'),
        (CHOICE, ["us"], '["us"] is not one of the choices; write "us", "eu" or "au"'),
        (BOOLEAN, "true", '"true" is neither true nor false; write one of them, without quotes'),
        (BOOLEAN, 1, "1 is neither true nor false; write one of them, without quotes"),
        (INTEGER, 0, "0 is not a whole number from 1 to 500; write one, without quotes"),
        (INTEGER, 501, "501 is not a whole number from 1 to 500; write one, without quotes"),
        (INTEGER, "5", '"5" is not a whole number from 1 to 500; write one, without quotes'),
        (INTEGER, True, "true is not a whole number from 1 to 500; write one, without quotes"),
        (INTEGER, 5.0, "5.0 is not a whole number from 1 to 500; write one, without quotes"),
        (SHARE, 0, "0 is not a number above 0 and up to 1; write one, such as 0.5, without quotes"),
        (SHARE, 1.1, "1.1 is not a number above 0 and up to 1; write one, such as 0.5, without quotes"),
        (SHARE, float("nan"), "NaN is not a number above 0 and up to 1; write one, such as 0.5, without quotes"),
        (SHARE, "0.5", '"0.5" is not a number above 0 and up to 1; write one, such as 0.5, without quotes'),
        (SHARE, True, "true is not a number above 0 and up to 1; write one, such as 0.5, without quotes"),
        (SIZE, "4M", '"4M" is not a size; write a number with B, KiB, MiB or GiB, such as "4MiB"'),
        (SIZE, "4iB", '"4iB" is not a size; write a number with B, KiB, MiB or GiB, such as "4MiB"'),
        (SIZE, "-4MiB", '"-4MiB" is not a size; write a number with B, KiB, MiB or GiB, such as "4MiB"'),
        (SIZE, True, 'true is not a size; write a number with B, KiB, MiB or GiB, such as "4MiB"'),
        (SIZE, "1B", '"1B" is out of range; write a size from 1KiB to 1GiB'),
        (SIZE, -1, "-1 is out of range; write a size from 1KiB to 1GiB"),
        (DURATION, "24", '"24" is not a duration; write a number with ms, s, m, h or d, such as "24h"'),
        (DURATION, 24, '24 is not a duration; write a number with ms, s, m, h or d, such as "24h"'),
        (DURATION, "", '"" is not a duration; write a number with ms, s, m, h or d, such as "24h"'),
        (DURATION, "-1s", '"-1s" is not a duration; write a number with ms, s, m, h or d, such as "24h"'),
        (DURATION, "0s", '"0s" is out of range; write 100ms to 24h'),
        (DURATION, "25h", '"25h" is out of range; write 100ms to 24h'),
        (AGE, "0s", '"0s" is out of range; write 1s to 24h, or "" for none'),
        (TYPES, "plan", '"plan" is not a table of attributes; write lines such as plan = "string"'),
        (TYPES, {"plan": "text"}, '"text", for "plan", is not a type; write string, integer, float, boolean, datetime'),
        (TYPES, {"plan": 1}, '1, for "plan", is not a type; write string, integer, float, boolean, datetime'),
        (
            INTEGER,
            dt.date(2026, 1, 2),
            '"2026-01-02" is not a whole number from 1 to 500; write one, without quotes',
        ),
    ],
)
def test_invalid_value_is_refused_with_the_remedy(kind: ValueKind, raw: object, message: str) -> None:
    with pytest.raises(ValueError, match=r"; ") as raised:
        kind.read(raw)
    assert str(raised.value) == message


@pytest.mark.parametrize("name", ["a.b", "$a", "", "a" * 191, "a|b", "a{b", 'a"b', "a\\b"])
def test_type_of_an_impossible_attribute_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot name an attribute; write at most 190 characters"):
        TYPES.read({name: "string"})


@pytest.mark.parametrize("raw", ["two words", "naïve", "line\nbreak", 'quo"te', 5, ["x"], "=abc"])
def test_refusal_of_a_token_does_not_repeat_it(raw: object) -> None:
    with pytest.raises(ValueError, match="this is not an access token") as raised:
        kinds.secret().read(raw)
    assert str(raw) not in str(raised.value)


def test_error_shows_no_misplaced_access_token() -> None:
    with pytest.raises(ValueError, match=r"; ") as raised:
        CHOICE.read("dG9rOmFiY2RlZmdoaWprbG1ub3A=")
    assert str(raised.value).startswith('"********" is not one of the choices')


def test_error_shows_60_characters_of_a_value() -> None:
    assert len(kinds.shown("x" * 1000)) == 60
    assert kinds.shown("x" * 1000).endswith("xxx...")


@given(st.integers(0, 2**50))
def test_size_is_shown_as_it_can_be_read(value: int) -> None:
    kind = kinds.size(0, 2**50)
    assert kind.read(kind.show(value).strip('"')) == value


@given(st.integers(1, 10**10))
def test_duration_is_shown_as_it_can_be_read(milliseconds: int) -> None:
    kind = kinds.duration(0.0, 1e9)
    assert kind.read(kind.show(milliseconds / 1000).strip('"')) == milliseconds / 1000


@given(st.text())
def test_kind_fails_with_a_message_for_any_text(text: str) -> None:
    for kind in (TEXT, CHOICE, BOOLEAN, INTEGER, SHARE, SIZE, DURATION, AGE, TYPES, kinds.secret()):
        message = "; "
        try:
            kind.read(kind.from_text(text))
        except ValueError as error:
            message = str(error)
        assert "; " in message, kind


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (TEXT, 'a"b', r'"a\"b"'),
        (BOOLEAN, True, "true"),
        (SIZE, 2 * GIB, '"2GiB"'),
        (SIZE, 1000, '"1000B"'),
        (DURATION, 86_400.0, '"24h"'),
        (DURATION, 0.0, '"0s"'),
        (AGE, 0.0, '""'),
        (TYPES, {"plan": "string"}, '{"plan" = "string"}'),
        (kinds.secret(), Secret("abcdefgh"), '"********"'),
        (kinds.secret(), Secret(""), '""'),
    ],
)
def test_value_is_shown_as_toml_has_it(kind: ValueKind, value: object, text: str) -> None:
    assert kind.show(value) == text


@pytest.mark.parametrize(
    ("raw", "value"), [([], ()), (["NULL", " [object Object] "], ("null", "[object object]")), (["x"], ("x",))]
)
def test_placeholders_are_kept_in_lower_case(raw: object, value: tuple[str, ...]) -> None:
    assert PLACEHOLDERS.read(raw) == value
    assert PLACEHOLDERS.read(list(value)) == value


@pytest.mark.parametrize("raw", ["null", None, [1], [""], [" "], {"null": 1}])
def test_placeholders_are_a_list_of_texts(raw: object) -> None:
    with pytest.raises(ValueError, match="write a list of texts"):
        PLACEHOLDERS.read(raw)


def test_placeholders_of_a_variable_have_commas_between() -> None:
    assert PLACEHOLDERS.read(PLACEHOLDERS.from_text("null, undefined ,,")) == ("null", "undefined")
