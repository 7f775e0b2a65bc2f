"""What of a backup may be put in place of what is there."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daemon.backup.verdicts import AuthState, Verdict, decide
from tests.unit.connectors.baileys_states import entries, lives, paired

generations = st.integers(1, 50)
opaque = st.dictionaries(st.text(max_size=5), st.binary(max_size=5), min_size=1, max_size=4)


@given(lives, generations, generations, st.data())
def test_an_older_state_never_takes_the_place_of_a_newer_one(
    states: list[dict[str, Any]], mine: int, theirs: int, data: st.DataObject
) -> None:
    earlier = data.draw(st.integers(0, len(states) - 1))
    later = data.draw(st.integers(earlier, len(states) - 1))
    old, new = entries(states[earlier]), entries(states[later])
    back = decide(AuthState(mine, new), AuthState(theirs, old))
    forth = decide(AuthState(mine, old), AuthState(theirs, new))
    if old == new:
        assert {back.verdict, forth.verdict} == {Verdict.SAME}
    else:
        assert (back.verdict, forth.verdict) == (Verdict.REFUSED, Verdict.TAKEN)
        assert back.why


@given(generations, generations)
def test_another_pairing_stays(mine: int, theirs: int) -> None:
    decision = decide(AuthState(mine, entries(paired(1))), AuthState(theirs, entries(paired(9))))
    assert (decision.verdict, "another device" in decision.why) == (Verdict.REFUSED, True)


@given(opaque, opaque, generations, generations)
def test_what_can_not_be_read_goes_by_generation(
    kept: dict[str, bytes], offered: dict[str, bytes], mine: int, theirs: int
) -> None:
    verdict = decide(AuthState(mine, kept), AuthState(theirs, offered)).verdict
    if kept == offered:
        assert verdict is Verdict.SAME
    else:
        assert verdict is (Verdict.TAKEN if theirs > mine else Verdict.REFUSED)


@given(opaque, generations)
def test_where_nothing_is_everything_may_come(offered: dict[str, bytes], theirs: int) -> None:
    state = AuthState(theirs, offered)
    assert decide(None, state).verdict is Verdict.TAKEN
    assert decide(AuthState(60, {}), state).verdict is Verdict.TAKEN
    assert decide(state, AuthState(60, {})).verdict is Verdict.REFUSED
    assert decide(None, AuthState(1, {})).verdict is Verdict.SAME
