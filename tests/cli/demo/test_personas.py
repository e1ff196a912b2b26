"""Tests the personas of the demo."""

from intercomd_daemon.cli.demo import personas


def test_personas_have_unique_keys_and_emails() -> None:
    everyone = [*personas.customers(), *personas.known(), *personas.by_email(), personas.ARCHIVED, personas.BLOCKED]
    assert len({persona.key for persona in everyone}) == len(everyone)
    emails = [persona.email for persona in everyone if persona.email]
    assert len(set(emails)) == len(emails)


def test_personas_cover_every_kind_of_identity() -> None:
    customer, known, by_email = personas.customers()[0], personas.known()[0], personas.by_email()[0]
    assert (bool(customer.customer_id), bool(customer.email)) == (True, True)
    assert (bool(known.customer_id), bool(known.email)) == (True, False)
    assert (bool(by_email.customer_id), by_email.key) == (False, by_email.email)
    assert customer.name == f"{customer.first_name} {customer.last_name}"
