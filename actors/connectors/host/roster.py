"""Who is in the shard: addresses of the session actors, their lives, and what is stored of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress

from actors.admission.detours import Proxy
from actors.messages.plans import ProxyPlan, SessionPlan
from actors.messages.sessions import SessionHello
from actors.session.causes import Cause
from actors.store import shard_queries
from actors.store.records import LEFT, SessionState

NOT_PAIRED = "not_paired"
"""Error of a send of a session that has no device."""


def refusal(state: SessionState) -> str | None:
    """Why a session in that state will send nothing until an operator acts; None if it may.

    A temporary ban ends by itself: what waits for its end is kept.  Without a device nothing is kept for the next one,
    which may be another account's.
    """
    if state.state == "pairing":
        return Cause.INTENTIONAL_LOGOUT if state.cause == Cause.INTENTIONAL_LOGOUT else NOT_PAIRED
    if state.state in {"blocked", "halted"} and not state.data.get("until"):
        return state.cause or state.state
    return None


@dataclass(frozen=True, slots=True)
class Member:
    """One session of the shard."""

    enabled: bool
    importance: int = 0
    """-100 to 100: who goes first when many want to connect."""
    life: int = 0
    saved: Mapping[str, Any] | None = None
    """What the session wants back after a restart: stored with its last transition."""
    incarnation: int = 0
    address: ActorAddress | None = None
    pid: int = 0
    paused_until: float | None = None
    proxy: ProxyPlan | None = None
    """Through what it connects."""


class Roster:
    """Keeps the members; ``states`` are the stored ones at the start."""

    def __init__(self, states: Mapping[str, SessionState]) -> None:
        self._states = dict(states)
        self._members: dict[str, Member] = {}

    def plan(self, sessions: Iterable[SessionPlan]) -> list[SessionPlan]:
        """The sessions wanted now; returns those whose actor, told otherwise before, has to be started or stopped."""
        wanted = {plan.id: plan for plan in sessions}
        for id in self._members.keys() - wanted.keys():
            del self._members[id]
        turned = []
        for id, plan in wanted.items():
            known = self._members.get(id)
            if known is not None and known.address is not None and known.enabled != plan.enabled:
                turned.append(plan)
            member = known or Member(plan.enabled)
            paused, weight = plan.paused_until, plan.importance
            self._members[id] = replace(
                member, enabled=plan.enabled, paused_until=paused, importance=weight, proxy=plan.proxy
            )
        return turned

    def repaused(self, sessions: Iterable[SessionPlan]) -> list[SessionPlan]:
        """Those wanted now whose actor was told of another pause."""
        return [
            plan
            for plan in sessions
            if (known := self._members.get(plan.id)) is not None
            and known.address is not None
            and known.paused_until != plan.paused_until
        ]

    def pauses(self) -> dict[str, float]:
        """The sessions for which recovery is paused, and until when."""
        members = self._members.items()
        return {id: member.paused_until for id, member in members if member.paused_until is not None}

    def ids(self) -> list[str]:
        """The sessions of the shard, in their order."""
        return sorted(self._members)

    def wants(self, session: str) -> bool:
        """Whether it is to run."""
        return session in self._members and self._members[session].enabled

    def importance(self, session: str) -> int:
        """How much sooner than others it is to be back; 0 for one that is not known."""
        return self._members[session].importance if session in self._members else 0

    def proxy(self, session: str) -> Proxy | None:
        """Through what it connects; None: straight from this machine."""
        plan = self._members[session].proxy if session in self._members else None
        if plan is None:
            return None
        return Proxy(plan.name, plan.connects_per_second, self._through(plan.name), plan.mark)

    def _through(self, proxy: str) -> int:
        members = self._members.values()
        return sum(member.enabled and member.proxy is not None and member.proxy.name == proxy for member in members)

    def running(self) -> int:
        """How many are to run."""
        return sum(member.enabled for member in self._members.values())

    def __contains__(self, session: str) -> bool:
        return session in self._members

    def is_paused(self, session: str, now: float) -> bool:
        """Whether recovery of it is paused."""
        until = self._members[session].paused_until if session in self._members else None
        return until is not None and until > now

    def forget(self, session: str) -> None:
        """What was stored of a session is stored no more."""
        self._states.pop(session, None)

    def leavers(self) -> list[str]:
        """Sessions of which a state is stored, that are not wanted, and that were not named here before."""
        found = [id for id, state in self._states.items() if id not in self._members and not state.data.get(LEFT)]
        for id in found:
            self._states[id] = replace(self._states[id], data={**self._states[id].data, LEFT: True})
        return found

    def enter(self, hello: SessionHello, address: ActorAddress) -> Member | None:
        """A session actor reports: a new one begins a new life, a repeated report changes nothing.

        One whose transitions were stored last goes on with its life: those that the host before stored, and did not
        live to confirm, are known as stored when they are told again.
        """
        member = self._members.get(hello.session)
        if member is None:
            return None
        stored = self._states.get(hello.session)
        if member.address is None or member.incarnation != hello.incarnation:
            last = max(member.life, stored.incarnation if stored else 0)
            life = last if 0 < hello.life == last else last + 1
            member = replace(member, life=life, incarnation=hello.incarnation)
        member = replace(member, address=address, pid=hello.pid, saved=stored.data.get("saved") if stored else None)
        self._members[hello.session] = member
        return member

    def state(self, session: str) -> SessionState | None:
        """What is stored of it."""
        return self._states.get(session)

    def halted_by(self, cause: str) -> dict[str, SessionState]:
        """The sessions of the shard that rest for that cause and should run."""
        return {
            id: state
            for id, state in sorted(self._states.items())
            if self.wants(id) and state.state == "halted" and state.cause == cause
        }

    def unaware(self, state: SessionState, now: float) -> bool:
        """Whether it seems, by its state, that word of its pause did not reach a session, or word of the end of it."""
        held = bool(state.data.get("held"))
        return (state.state == "waiting" and not held) if self.is_paused(state.session, now) else held

    def held_in_vain(self, now: float) -> list[str]:
        """The sessions that wait for the end of a pause that is over."""
        states = self._states.items()
        return [id for id, state in states if id in self and state.data.get("held") and self.unaware(state, now)]

    def paused_until(self, session: str, now: float) -> float | None:
        """Until when recovery of it is paused; None if it is not."""
        return self._members[session].paused_until if self.is_paused(session, now) else None

    def refusing(self) -> dict[str, str]:
        """The sessions that rest in a state in which nothing is sent, or that are not wanted any more, and why."""
        states = self._states.items()
        why = {id: refusal(state) if id in self._members else shard_queries.REMOVED for id, state in states}
        return {id: cause for id, cause in why.items() if cause is not None}

    def stored(self, state: SessionState) -> None:
        """A transition is in the database."""
        known = self._states.get(state.session)
        if known is None or (known.incarnation, known.number) < (state.incarnation, state.number):
            self._states[state.session] = state

    def enable(self, session: str, enabled: bool) -> None:
        """The operator's wish, ahead of the plan that follows it."""
        if (member := self._members.get(session)) is not None:
            self._members[session] = replace(member, enabled=enabled)

    def address(self, session: str) -> ActorAddress | None:
        """Where a session's actor is reached; None while there is none: a message to a dead one would be lost."""
        member = self._members.get(session)
        return member.address if member and _runs(member.pid) else None


def _runs(pid: int) -> bool:
    """Whether the process lives; one that only waits for its parent to notice its end does not (``man 5 proc``)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
