"""Who owns a session and whether it runs: the file, the API and the operator's wishes."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from actors.store.records import RESTORED, Desired, StoredSession
from config.loader import Loaded, check_text
from daemon import wanted

IDS = st.sampled_from("abcd")
ENABLED = st.dictionaries(IDS, st.booleans())


def load(sessions: dict[str, bool]) -> Loaded:
    items = "".join(f"  - {{id: {id}, connector: simulator, enabled: {on}}}\n".lower() for id, on in sessions.items())
    return check_text(f"sessions:\n{items}", Path("w.yaml"), {"HOME": "/h"})


def wishes(enabled: dict[str, bool]) -> dict[str, Desired]:
    return {id: Desired(id, on, 1.0, "test") for id, on in enabled.items()}


def stored(ids: set[str]) -> dict[str, StoredSession]:
    return {id: StoredSession(id, "baileys", {"team": "api"}, 1.0) for id in sorted(ids)}


@given(ENABLED, ENABLED, st.sets(IDS))
def test_the_file_owns_what_it_names_and_a_wish_wins(
    file: dict[str, bool], wish: dict[str, bool], api: set[str]
) -> None:
    found = wanted.records(load(file), stored(api), wishes(wish))
    assert set(found) == set(file) | api
    assert list(found)[: len(file)] == list(file)
    for id, record in found.items():
        assert record.origin == ("file" if id in file else "api")
        assert record.connector == ("simulator" if id in file else "baileys")
        assert record.enabled is wish.get(id, file.get(id, True))
        assert (record.source is not None) is (id in file)


@given(ENABLED, ENABLED, ENABLED, st.sets(IDS))
def test_a_wish_holds_until_the_file_changes_its_mind(
    before: dict[str, bool], after: dict[str, bool], wish: dict[str, bool], api: set[str]
) -> None:
    said = wanted.says({}, load(before).config.sessions, wish, api)
    assert said == before
    void = wanted.overruled(said, load(after).config.sessions, wishes(wish))
    assert void == {id for id in after if id in wish and before.get(id, True) != after[id]}
    # taken over as it is, nothing is overruled: a restart changes nothing that a reload did not
    left = {id: on for id, on in wish.items() if id not in void}
    again = wanted.says(said, load(after).config.sessions, left, api)
    assert not wanted.overruled(again, load(after).config.sessions, wishes(left))


def test_a_wish_waits_for_a_session_that_left_the_file() -> None:
    said = wanted.says({"a": False, "b": False}, (), {"a", "c"}, {"c"})
    assert said == {"a": False}
    # it is back, and the file says something else than before
    assert wanted.overruled(said, load({"a": True}).config.sessions, wishes({"a": False})) == {"a"}
    assert wanted.overruled(said, load({"a": False}).config.sessions, wishes({"a": True})) == set()


@given(st.sets(IDS), st.sets(IDS), st.sets(IDS))
def test_only_sessions_of_the_api_change_hands(before: set[str], after: set[str], api: set[str]) -> None:
    hands = wanted.ownership(before, after, stored(api))
    assert set(hands.taken_over) == (after - before) & api
    assert set(hands.given_back) == (before - after) & api


@given(ENABLED, ENABLED, ENABLED, st.sets(IDS))
def test_no_file_starts_what_came_out_of_a_backup(
    said: dict[str, bool], file: dict[str, bool], wish: dict[str, bool], held: set[str]
) -> None:
    holds = {id: Desired(id, False, 1.0, RESTORED) for id in held}
    all_wishes = wishes(wish) | holds
    void = wanted.overruled(said, load(file).config.sessions, all_wishes)
    assert not void & held
    assert {id for id in all_wishes if wanted.is_held(all_wishes[id])} == held
    found = wanted.records(load(file), {}, {id: made for id, made in all_wishes.items() if id not in void})
    assert not [id for id in held if id in found and found[id].enabled]
