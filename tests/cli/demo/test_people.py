"""Who appears in the demo."""

from intercomd_daemon.cli.demo import people


def test_everybody_is_somebody_else() -> None:
    everybody = [*people.customers(), *people.known(), *people.by_email(), people.ARCHIVED, people.BLOCKED]
    assert len({person.key for person in everybody}) == len(everybody)
    emails = [person.email for person in everybody if person.email]
    assert len(set(emails)) == len(emails)


def test_they_are_named_in_the_ways_that_senders_have() -> None:
    customer, known, by_email = people.customers()[0], people.known()[0], people.by_email()[0]
    assert (bool(customer.customer_id), bool(customer.email)) == (True, True)
    assert (bool(known.customer_id), bool(known.email)) == (True, False)
    assert (bool(by_email.customer_id), by_email.key) == (False, by_email.email)
    assert customer.name == f"{customer.first_name} {customer.last_name}"
