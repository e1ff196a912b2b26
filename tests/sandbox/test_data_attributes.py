"""Which attributes may be created, and what may be written into them."""

import pytest

from intercomd_daemon.sandbox.bodies import AttributeBody, AttributeOption
from intercomd_daemon.sandbox.data_attributes import Attributes
from intercomd_daemon.sandbox.http_messages import ErrorResponse
from intercomd_daemon.sandbox.settings import CustomAttribute

INITIAL = (
    CustomAttribute("text"),
    CustomAttribute("whole", "integer"),
    CustomAttribute("number", "float"),
    CustomAttribute("yes", "boolean"),
    CustomAttribute("day", "date"),
    CustomAttribute("gone", archived=True),
    CustomAttribute("fixed", api_writable=False),
    CustomAttribute("size", options=("small", "large")),
    CustomAttribute("turnover", "float", model="company"),
)


def attributes(*, lead_null: bool = False) -> Attributes:
    return Attributes(INITIAL, custom_max=250, lead_null=lead_null)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "a"),
        ("text", ""),
        ("text", None),
        ("whole", 3),
        ("number", 3),
        ("number", 3.5),
        ("yes", False),
        ("day", 1_700_000_000),
        ("size", "large"),
    ],
)
def test_attribute_takes_a_value_of_its_type_and_null_clears_it(name: str, value: object) -> None:
    assert attributes().check({name: value}, "user") == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 1),
        ("text", True),
        ("whole", 1.5),
        ("whole", "1"),
        ("whole", True),
        ("number", "1.5"),
        ("number", False),
        ("yes", 1),
        ("yes", "true"),
        ("day", "2024-01-01"),
        ("day", 1_700_000_000_000),
        ("day", 1.5),
        ("gone", "a"),
        ("fixed", "a"),
        ("size", "medium"),
    ],
)
def test_value_of_another_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ErrorResponse, match=f"Custom attribute '{name}'") as caught:
        attributes().check({"text": "fine", name: value}, "user")
    assert (caught.value.status, caught.value.code, caught.value.illegal) == (400, "parameter_invalid", False)


def test_refusal_may_omit_the_attribute() -> None:
    with pytest.raises(ErrorResponse) as caught:
        Attributes(INITIAL, custom_max=250, refusals_named=False).check({"size": "medium"}, "user")
    assert (caught.value.status, caught.value.code, caught.value.field) == (400, "parameter_invalid", "")
    assert "size" not in caught.value.message


@pytest.mark.parametrize("name", ["missing", "Text", "turnover", "name"])
def test_attribute_must_exist_before_it_is_written(name: str) -> None:
    with pytest.raises(ErrorResponse) as caught:
        attributes().check({"text": "fine", name: "a"}, "user")
    assert caught.value.message == f"Custom attribute '{name}' does not exist"


def test_lead_refuses_null_and_empty_text_clears() -> None:
    with pytest.raises(ErrorResponse, match="'whole' can not be null"):
        attributes().check({"whole": None}, "lead")
    assert attributes().check({"whole": ""}, "lead") == {"whole": None}
    assert attributes(lead_null=True).check({"whole": None}, "lead") == {"whole": None}


@pytest.mark.parametrize("name", ["plan", "Mithril Shirt", "snake_case", "with-hyphen", "price €", "größe", "x" * 190])
def test_attribute_with_an_allowed_name_is_created(name: str) -> None:
    """Letters, digits, currency signs and hyphens."""
    created = attributes().create(AttributeBody(name, "contact", "string"))
    assert (created["name"], created["full_name"]) == (name, f"custom_attributes.{name}")
    assert created["custom"]
    assert created["api_writable"]


@pytest.mark.parametrize("name", ["", "a.b", "a$b", "!nv@l!d n@me", 'quo"te', "tab\t", "nul\0", "a(b)", "x" * 191])
def test_attribute_with_another_name_is_refused(name: str) -> None:
    with pytest.raises(ErrorResponse) as caught:
        attributes().create(AttributeBody(name, "contact", "string"))
    assert (caught.value.status, caught.value.code) == (400, "parameter_invalid")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (AttributeBody("text", "contact", "integer"), "You already have 'text' in your people data"),
        (AttributeBody("gone", "contact", "string"), "You already have 'gone'"),
        (AttributeBody("new", "contact", "mithril"), "Data Type isn't an option"),
        (AttributeBody("new", "person", "string"), "must be either contact or company"),
        (AttributeBody("new", "contact", "options"), "At least two options"),
        (AttributeBody("new", "contact", "options", options=[AttributeOption("1-10")]), "At least two options"),
    ],
)
def test_refused_creation_is_400_parameter_invalid(body: AttributeBody, message: str) -> None:
    with pytest.raises(ErrorResponse, match=message) as caught:
        attributes().create(body)
    assert (caught.value.status, caught.value.code) == (400, "parameter_invalid")


@pytest.mark.parametrize(
    ("data_type", "listed"),
    [
        ("string", "string"),
        ("integer", "integer"),
        ("float", "float"),
        ("boolean", "boolean"),
        ("datetime", "date"),
        ("date", "date"),
    ],
)
def test_created_type_is_listed_as_one_of_five(data_type: str, listed: str) -> None:
    assert attributes().create(AttributeBody("new", "contact", data_type))["data_type"] == listed


def test_list_attribute_keeps_its_options() -> None:
    options = [AttributeOption("1-10"), AttributeOption("11-50")]
    assert attributes().create(AttributeBody("new", "contact", "options", options=options))["options"] == (
        "1-10",
        "11-50",
    )


def test_251st_attribute_is_refused_with_a_code_of_its_own() -> None:
    """Archived ones leave room."""
    full = Attributes([CustomAttribute(f"a{number}") for number in range(250)], custom_max=250)
    with pytest.raises(ErrorResponse) as caught:
        full.create(AttributeBody("new", "contact", "string"))
    assert (caught.value.status, caught.value.code) == (400, "custom_data_limit_reached")
    full.put(CustomAttribute("a0", archived=True))
    assert full.create(AttributeBody("new", "contact", "string"))["name"] == "new"


def test_list_has_one_model_or_all_and_archived_ones_on_request() -> None:
    def names(model: str | None, *, include_archived: bool) -> set[str]:
        data = attributes().list_json(model, include_archived=include_archived)["data"]
        return {one["name"] for one in data if one["custom"]}

    people = {"text", "whole", "number", "yes", "day", "fixed", "size"}
    assert names("contact", include_archived=False) == people
    assert names("contact", include_archived=True) == people | {"gone"}
    assert names("company", include_archived=True) == {"turnover"}
    assert names(None, include_archived=False) == people | {"turnover"}


def test_list_describes_each_attribute_for_writers() -> None:
    data = {one["name"]: one for one in attributes().list_json("contact", include_archived=True)["data"]}
    assert (data["day"]["data_type"], data["day"]["api_writable"], data["day"]["archived"]) == ("date", True, False)
    assert data["gone"]["archived"]
    assert not data["fixed"]["api_writable"]
    assert not data["email"]["custom"]
    assert not data["created_at"]["api_writable"]
