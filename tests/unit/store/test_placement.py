from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.placement import place

CONNECTORS = st.sampled_from(["baileys", "simulator", "cloud"])
IDS = st.integers(0, 30).map(lambda number: f"s{number}")
EXISTING = st.dictionaries(IDS, st.tuples(CONNECTORS, st.integers(0, 8)), max_size=20)
SESSIONS = st.lists(st.tuples(IDS, CONNECTORS), unique_by=lambda pair: pair[0], max_size=25)


def kinds(existing: dict[str, tuple[str, int]]) -> dict[int, str]:
    """The first connector that each shard number belongs to."""
    first: dict[int, str] = {}
    for connector, shard in existing.values():
        first.setdefault(shard, connector)
    return first


@given(EXISTING, SESSIONS, st.integers(1, 5))
def test_everyone_has_a_place_among_their_own_kind(
    existing: dict[str, tuple[str, int]], sessions: list[tuple[str, str]], capacity: int
) -> None:
    places = place(existing, sessions, capacity)
    assert sorted(places) == sorted(session for session, _ in sessions)
    held = kinds(existing)
    for session, connector in sessions:
        assert held.setdefault(places[session], connector) == connector


@given(EXISTING, SESSIONS, st.integers(1, 5))
def test_who_is_placed_stays_and_nobody_is_added_beyond_capacity(
    existing: dict[str, tuple[str, int]], sessions: list[tuple[str, str]], capacity: int
) -> None:
    places = place(existing, sessions, capacity)
    first = kinds(existing)
    stayed: dict[int, int] = defaultdict(int)
    total: dict[int, int] = defaultdict(int)
    for session, connector in sessions:
        total[places[session]] += 1
        before = existing.get(session)
        if before is not None and before[0] == connector and first[before[1]] == connector:
            assert places[session] == before[1]
            stayed[before[1]] += 1
    for shard, count in total.items():
        assert count <= max(capacity, stayed[shard])


@given(EXISTING, SESSIONS, st.integers(1, 5))
def test_placing_again_changes_nothing(
    existing: dict[str, tuple[str, int]], sessions: list[tuple[str, str]], capacity: int
) -> None:
    places = place(existing, sessions, capacity)
    stored = {session: (connector, places[session]) for session, connector in sessions}
    assert place(stored, sessions, capacity) == places
    assert place(stored, list(reversed(sessions)), capacity) == places


def test_the_lowest_shard_with_room_is_taken() -> None:
    existing = {"a": ("baileys", 0), "b": ("baileys", 2)}
    sessions = [("a", "baileys"), ("b", "baileys"), ("c", "baileys"), ("d", "baileys"), ("e", "simulator")]
    assert place(existing, sessions, 2) == {"a": 0, "b": 2, "c": 0, "d": 1, "e": 3}


def test_a_number_stays_with_its_connector_when_its_sessions_are_gone() -> None:
    assert place({"gone": ("baileys", 0)}, [("a", "simulator"), ("b", "baileys")], 8) == {"a": 1, "b": 0}


def test_a_session_that_changes_its_connector_moves() -> None:
    assert place({"a": ("simulator", 0)}, [("a", "baileys")], 8) == {"a": 1}


def test_capacity_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least one"):
        place({}, [], 0)
