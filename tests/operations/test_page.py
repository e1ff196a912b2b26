"""How long a page is, and what its token tells."""

import pytest

from intercomd_daemon.errors import RequestRefused
from intercomd_daemon.operations.page import page_size_of, place_of, places_of, token_of
from intercomd_daemon.spool.rows import DeadLetterFilter, OutcomeFilter
from intercomd_daemon.spool.trail import TrailFilter

ALL = OutcomeFilter()


@pytest.mark.parametrize(("asked", "given"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000)])
@pytest.mark.fills("operations.page.PAGE_SIZE_MAX")
def test_page_holds_what_was_asked_for_up_to_a_thousand(asked: int, given: int) -> None:
    assert page_size_of(asked) == given


def test_negative_page_size_is_refused() -> None:
    with pytest.raises(RequestRefused) as refused:
        page_size_of(-1)
    assert refused.value.field == "page_size"
    assert str(refused.value).startswith("page_size -1 is negative: ")


@pytest.mark.parametrize("place", [1, 100, 2**63 - 1])
def test_page_token_leads_back_to_its_place(place: int) -> None:
    assert place_of(ALL, token_of(ALL, place)) == place


def test_page_token_of_a_merged_list_leads_back_to_all_its_places() -> None:
    wanted = TrailFilter(customer_id="ann")
    token = token_of(wanted, 5, 0, 7)
    assert places_of(wanted, token, 3) == (5, 0, 7)
    assert places_of(wanted, "", 3) == (0, 0, 0)
    assert token_of(wanted, 0, 0, 0) == ""
    with pytest.raises(RequestRefused):
        places_of(wanted, token, 2)


def test_empty_page_token_is_the_beginning_and_the_end() -> None:
    assert token_of(ALL, 0) == ""
    assert place_of(ALL, "") == 0


def test_page_token_does_not_show_its_place() -> None:
    assert "7" * 6 not in token_of(ALL, 777_777)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "not a token",
        "ünicode",
        "AAAA",
        token_of(ALL, 5)[:-4],
        token_of(ALL, 5) + "AAAA",
        "B" + token_of(ALL, 5)[1:],
        token_of(OutcomeFilter(connection="eu"), 5),
        token_of(DeadLetterFilter(), 5),
    ],
    ids=["short", "words", "not ASCII", "too few bytes", "cut", "longer", "changed", "other filter", "other list"],
)
def test_page_token_of_another_list_or_filter_is_refused(token: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        place_of(ALL, token)
    assert refused.value.field == "page_token"
    assert str(refused.value).startswith("page_token does not belong")
