"""Sessions are told of their proxy until they follow it, whatever of that gets lost."""

from hypothesis import given
from hypothesis import strategies as st

from actors.messages.plans import ProxyPlan
from actors.session.sample import Folder
from actors.session.state import Proxy, SessionState
from actors.supervision.proxied import Proxied

PLANS = st.sampled_from([None, ProxyPlan("a", None, "a.1"), ProxyPlan("a", None, "a.2"), ProxyPlan("b")])


def follows(plan: ProxyPlan | None) -> str | None:
    """What the sample of a session says that was told so."""
    proxy = None if plan is None else Proxy(plan.name, plan.mark)
    return Folder(1.0).take(SessionState(proxy=proxy), 2.0).proxy


@given(PLANS, st.lists(st.tuples(PLANS, st.booleans()), min_size=1), st.integers(0, 3))
def test_a_session_that_missed_word_hears_it_with_a_later_sample(
    first: ProxyPlan | None, changes: list[tuple[ProxyPlan | None, bool]], losses: int
) -> None:
    known, actor = Proxied(), first
    known.starts("s", first)
    wanted = first
    for wanted, lost in changes:
        if known.tells("s", wanted) and not lost:
            actor = wanted
        assert not known.tells("s", wanted), "once is enough, until there is a sample"
    for lost in [*[True] * losses, False, False]:
        if known.missed("s", follows(actor), wanted) and not lost:
            actor = wanted
    assert follows(actor) == follows(wanted)
    assert not known.missed("s", follows(actor), wanted), "and then there is silence"


def test_a_session_without_an_actor_is_told_when_it_has_one() -> None:
    known = Proxied()
    assert not known.missed("s", None, ProxyPlan("b"))
    known.starts("s", None)
    known.forget("s")
    assert not known.missed("s", None, ProxyPlan("b"))
