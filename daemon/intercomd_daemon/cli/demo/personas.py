"""The fictitious users of the demo."""

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
"""Further users, whose contacts exist at Intercom before the demo."""
BY_EMAIL = 4
"""Further users, identified by an email alone."""


@dataclass(frozen=True)
class Persona:
    """A user."""

    customer_id: str
    email: str
    first_name: str
    last_name: str
    plan: str

    @property
    def identity(self) -> Identity:
        """The identity in envelopes."""
        return Identity(customer_id=self.customer_id, email=self.email)

    @property
    def key(self) -> str:
        """The key of the contact at Intercom."""
        return self.customer_id or self.email

    @property
    def name(self) -> str:
        """The contact's name at Intercom."""
        return f"{self.first_name} {self.last_name}"


def persona(number: int, customer_id: str | None = None, *, with_email: bool = True) -> Persona:
    """Returns the persona with a number; each number has its own name."""
    first = FIRST_NAMES[number % len(FIRST_NAMES)]
    last = LAST_NAMES[(number + number // len(FIRST_NAMES)) % len(LAST_NAMES)]
    return Persona(
        customer_id=f"c-{1000 + number}" if customer_id is None else customer_id,
        email=f"{first}.{last}@example.com".lower() if with_email else "",
        first_name=first,
        last_name=last,
        plan=PLANS[number % len(PLANS)],
    )


def customers() -> list[Persona]:
    """Returns the users with a customer id and an email, who have no contact yet."""
    return [persona(number) for number in range(CUSTOMERS)]


def known() -> list[Persona]:
    """Returns the users with a customer id whose contacts exist."""
    return [persona(number, with_email=False) for number in range(CUSTOMERS, CUSTOMERS + KNOWN)]


def by_email() -> list[Persona]:
    """Returns the users with an email alone."""
    first = CUSTOMERS + KNOWN
    return [persona(number, "") for number in range(first, first + BY_EMAIL)]


ARCHIVED = persona(60, "c-archived", with_email=False)
"""This contact is archived at Intercom; by default the daemon does not unarchive it."""
BLOCKED = persona(61, "c-blocked", with_email=False)
