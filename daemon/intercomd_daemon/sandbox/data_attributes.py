"""The data attributes of the workspace: lists and creates them, and checks the values of a write.

From 2.0 a custom attribute "must exist before it is written".
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

import msgspec

from intercomd_daemon.sandbox.bodies import MILLISECONDS_FROM, AttributeBody, Value
from intercomd_daemon.sandbox.contact import AttributeValue
from intercomd_daemon.sandbox.http_messages import ErrorResponse, illegal, invalid
from intercomd_daemon.sandbox.settings import CustomAttribute, DataType

NAME_MAX = 190
"""Characters of a name: "Names at most 190 characters"."""
CREATABLE: Mapping[str, DataType] = {
    "string": "string",
    "integer": "integer",
    "float": "float",
    "boolean": "boolean",
    "datetime": "date",
    "date": "date",
    "options": "string",
}
"""Types that a creation may name, each with the type in which the attribute is listed."""
STANDARD: tuple[tuple[str, DataType, bool], ...] = (
    ("id", "string", False),
    ("external_id", "string", True),
    ("role", "string", True),
    ("email", "string", True),
    ("phone", "string", True),
    ("name", "string", True),
    ("avatar", "string", True),
    ("owner_id", "integer", True),
    ("created_at", "date", False),
    ("updated_at", "date", False),
    ("signed_up_at", "date", True),
    ("last_seen_at", "date", True),
    ("unsubscribed_from_emails", "boolean", True),
)
"""Contact attributes of every workspace: name, type, whether the API may write it."""


class Attributes:
    """The custom attributes by model and name, and the standard ones."""

    def __init__(
        self,
        initial: Iterable[CustomAttribute],
        *,
        custom_max: int,
        refusals_named: bool = True,
        lead_null: bool = True,
    ) -> None:
        """`refusals_named`: whether the refusal of a value names its attribute; `lead_null`: null clears on leads."""
        self._custom: dict[tuple[str, str], CustomAttribute] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._custom_max = custom_max
        self._refusals_named = refusals_named
        self._lead_null = lead_null
        for attribute in initial:
            self.put(attribute)

    def all(self) -> list[CustomAttribute]:
        """Returns every custom attribute, archived ones too, in the order of creation."""
        return list(self._custom.values())

    def put(self, attribute: CustomAttribute) -> CustomAttribute:
        """Adds an attribute, or replaces the one of the same model and name, without any check."""
        key = (attribute.model, attribute.name)
        self._numbers.setdefault(key, len(self._numbers) + 1)
        self._custom[key] = attribute
        return attribute

    def create(self, body: AttributeBody) -> dict[str, Any]:
        """Creates a custom attribute.

        Raises:
            Refused: "every refusal is 400 `parameter_invalid`"; at the limit the code is `custom_data_limit_reached`.
        """
        if body.model not in {"contact", "company"}:
            raise illegal("The Data Attribute model field must be either contact or company", field="model")
        if body.data_type not in CREATABLE:
            raise illegal("Data Type isn't an option", field="data_type")
        options = () if isinstance(body.options, msgspec.UnsetType) else tuple(o.value for o in body.options)
        if (body.data_type == "options") != bool(options) or len(options) == 1:
            raise illegal("At least two options are required, of a list only", field="options")
        self._refuse_name(body.name)
        if (body.model, body.name) in self._custom:
            model = "people" if body.model == "contact" else "company"
            message = f"You already have '{body.name}' in your {model} data. To save this as new {model} data, "
            raise invalid(message + "use a different name.", field="name")
        if sum(not attribute.archived for attribute in self._custom.values()) >= self._custom_max:
            message = f"You have reached the limit of {self._custom_max} custom attributes"
            raise ErrorResponse(400, "custom_data_limit_reached", message)
        return self._json(
            self.put(
                CustomAttribute(
                    body.name,
                    CREATABLE[body.data_type],
                    cast(Literal["contact", "company"], body.model),
                    description=body.description,
                    options=options,
                )
            )
        )

    def list_json(self, model: str | None, *, include_archived: bool) -> dict[str, Any]:
        """Returns the list of `GET /data_attributes`, of all models if `model` is None."""
        data = [_standard_json(*standard) for standard in STANDARD] if model in {None, "contact"} else []
        data += [
            self._json(attribute)
            for attribute in self._custom.values()
            if model in {None, attribute.model} and (include_archived or not attribute.archived)
        ]
        return {"type": "list", "data": data}

    def check(self, values: Mapping[str, Value], role: str) -> dict[str, AttributeValue | None]:
        """Checks the values of a write to a contact of that role, and returns those to store; None clears.

        Raises:
            Refused: 400 `parameter_invalid`, which names the attribute by default; "the whole request is refused".
        """
        try:
            return {name: self._check(name, value, role) for name, value in values.items()}
        except ErrorResponse:
            if self._refusals_named:
                raise
            raise invalid("A parameter is invalid") from None

    def _check(self, name: str, value: Value, role: str) -> AttributeValue | None:
        attribute = self._custom.get(("contact", name))
        if attribute is None:
            raise invalid(f"Custom attribute '{name}' does not exist", field=name)
        if attribute.archived:
            raise invalid(f"Custom attribute '{name}' is archived", field=name)
        if not attribute.api_writable:
            raise invalid(f"Custom attribute '{name}' can not be written through the API", field=name)
        if role == "lead" and value is None and not self._lead_null:
            # Reported in 2018: "null clears a value on users; on leads null was refused and "" worked".
            raise invalid(f"Custom attribute '{name}' can not be null", field=name)
        if value is None or (role == "lead" and value == ""):
            return None
        if attribute.options and value not in attribute.options:
            raise invalid(f"Custom attribute '{name}' must be one of its options", field=name)
        if not _fits(attribute, value):
            raise invalid(f"Custom attribute '{name}' must be of type {attribute.data_type}", field=name)
        return value

    def _refuse_name(self, name: str) -> None:
        if not name or len(name) > NAME_MAX:
            raise invalid(f"Name must have between 1 and {NAME_MAX} characters", field="name")
        if not all(_is_name_character(character) for character in name):
            message = "Your name for this attribute must only contain alphanumeric characters, currency symbols, "
            raise invalid(message + "and hyphens", field="name")

    def _json(self, attribute: CustomAttribute) -> dict[str, Any]:
        listed: dict[str, Any] = {
            "type": "data_attribute",
            "id": self._numbers[attribute.model, attribute.name],
            "name": attribute.name,
            "full_name": f"custom_attributes.{attribute.name}",
            "label": attribute.name,
            "description": attribute.description,
            "data_type": attribute.data_type,
            "api_writable": attribute.api_writable,
            "ui_writable": False,
            "messenger_writable": False,
            "custom": True,
            "archived": attribute.archived,
            "model": attribute.model,
        }
        return listed | ({"options": attribute.options} if attribute.options else {})


def _is_name_character(character: str) -> bool:
    # Documented: "alphanumeric characters, currency symbols, and hyphens"; underscores and spaces "are seen in use";
    # "no `.` or `$`".
    if character == "$":
        return False
    return character.isalnum() or character in "-_ " or unicodedata.category(character) == "Sc"


def _fits(attribute: CustomAttribute, value: AttributeValue) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match attribute.data_type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return number and isinstance(value, int)
        case "float":
            return number
        case "date":
            # "Dates are Unix seconds".
            return number and isinstance(value, int) and abs(value) < MILLISECONDS_FROM


def _standard_json(name: str, data_type: DataType, api_writable: bool) -> dict[str, Any]:
    return {
        "type": "data_attribute",
        "name": name,
        "full_name": name,
        "label": name,
        "description": "",
        "data_type": data_type,
        "api_writable": api_writable,
        "ui_writable": False,
        "messenger_writable": True,
        "custom": False,
        "archived": False,
        "model": "contact",
    }
