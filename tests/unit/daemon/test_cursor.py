import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.ids import looks_like_phone_number
from daemon.api import cursor
from daemon.api.pages import page_of
from daemon.api.requests import StatusQuery

session_ids = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,20}\Z").filter(
    lambda text: not looks_like_phone_number(text) and text not in {"bulk", "health-summary"}
)
queries = st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.text()))


@given(session_ids, queries)
def test_round_trip(after: str, query: dict[str, object]) -> None:
    assert cursor.decode(cursor.encode(after, query), query) == after


@given(session_ids, queries, queries)
def test_a_cursor_of_another_filter_is_refused(after: str, query: dict[str, object], other: dict[str, object]) -> None:
    if query != other:
        with pytest.raises(ValueError, match="another filter"):
            cursor.decode(cursor.encode(after, query), other)


@given(st.text())
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        cursor.decode(text, {})


@given(st.binary())
def test_made_up_cursors_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="cursor"):
        cursor.decode(base64.urlsafe_b64encode(raw).decode().rstrip("="), {})


@given(st.sets(session_ids, max_size=30), st.integers(1, 10), st.sets(session_ids, max_size=5))
def test_pages_show_each_session_once_even_if_some_go_meanwhile(ids: set[str], limit: int, gone: set[str]) -> None:
    seen: list[str] = []
    query = StatusQuery(limit=limit)
    left = set(ids)
    while True:
        page = page_of(left, query)
        seen += page.ids
        if page.next_cursor is None:
            break
        query = StatusQuery(limit=limit, cursor=page.next_cursor)
        left -= gone
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen))
    assert ids - gone <= set(seen) <= ids


def test_the_size_of_pages_may_change_underway() -> None:
    first = page_of({"a", "b", "c", "d"}, StatusQuery(limit=1))
    assert page_of({"a", "b", "c", "d"}, StatusQuery(limit=3, cursor=first.next_cursor)).ids == ["b", "c", "d"]
