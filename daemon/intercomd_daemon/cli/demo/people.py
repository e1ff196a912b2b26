"""Who appears in the demo. Pure data, none of it anybody's."""

from dataclasses import dataclass

from intercomd import Identity

FIRST_NAMES = (
    "Ada",
    "Blaise",
    "Carl",
    "Dorothy",
    "Emmy",
    "Felix",
    "Grace",
    "Henri",
    "Ida",
    "Joan",
    "Karen",
    "Leonhard",
)
LAST_NAMES = ("Lindt", "Moss", "Noack", "Okafor", "Perez", "Quist", "Rossi", "Sato", "Tran", "Ueda", "Vogel", "Weiss")
PLANS = ("free", "starter", "team", "enterprise")

CUSTOMERS = 36
KNOWN = 4
"""Further ones whom Intercom has had before the daemon ever saw them."""
BY_EMAIL = 4
"""Further ones of whom only an email is known."""


@dataclass(frozen=True)
class Person:
    """Somebody whom envelopes are about."""

    customer_id: str
    email: str
    first_name: str
    last_name: str
    plan: str

    @property
    def identity(self) -> Identity:
        """As senders name them."""
        return Identity(customer_id=self.customer_id, email=self.email)

    @property
    def key(self) -> str:
        """By which Intercom's contact is found."""
        return self.customer_id or self.email

    @property
    def name(self) -> str:
        """As Intercom holds it."""
        return f"{self.first_name} {self.last_name}"


def person(number: int, customer_id: str | None = None, *, with_email: bool = True) -> Person:
    """The so-manieth person; every number has a name of its own."""
    first = FIRST_NAMES[number % len(FIRST_NAMES)]
    last = LAST_NAMES[(number + number // len(FIRST_NAMES)) % len(LAST_NAMES)]
    return Person(
        customer_id=f"c-{1000 + number}" if customer_id is None else customer_id,
        email=f"{first}.{last}@example.com".lower() if with_email else "",
        first_name=first,
        last_name=last,
        plan=PLANS[number % len(PLANS)],
    )


def customers() -> list[Person]:
    """Those with a customer id and an email, whom Intercom does not know yet."""
    return [person(number) for number in range(CUSTOMERS)]


def known() -> list[Person]:
    """Those whom Intercom knows already, by their customer id."""
    return [person(number, with_email=False) for number in range(CUSTOMERS, CUSTOMERS + KNOWN)]


def by_email() -> list[Person]:
    """Those of whom only an email is known."""
    first = CUSTOMERS + KNOWN
    return [person(number, "") for number in range(first, first + BY_EMAIL)]


ARCHIVED = person(60, "c-archived", with_email=False)
"""Somebody archived this contact in Intercom, and the settings respect that."""
BLOCKED = person(61, "c-blocked", with_email=False)
