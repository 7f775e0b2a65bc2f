"""What a host tells its sessions of its own accord: pauses, faults of the connector, orders that may have been lost."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.connectors.host.fault import ConnectorFault
from actors.connectors.host.roster import Roster
from actors.messages.plans import SessionPlan
from actors.messages.services import Command
from actors.messages.sessions import ConnectorTrouble, Paused


class Notices:
    """``post`` sends a message to an actor; ``me`` is the host's own address, to which answers are of no interest."""

    def __init__(self, roster: Roster, post: Callable[[Any, Any], None], me: ActorAddress) -> None:
        self._roster = roster
        self._post = post
        self._me = me

    def _tell(self, session: str, message: Any) -> None:
        """Without an actor there is nobody to tell: the next one is told all of it when it says hello."""
        if (address := self._roster.address(session)) is not None:
            self._post(address, message)

    def pause(self, session: str) -> None:
        """Until when its recovery is paused; it changes nothing for a session that knows."""
        self._tell(session, Paused(self._roster.paused_until(session, time.time())))

    def ends_of_pauses(self) -> None:
        """Again to those that still wait for it."""
        for session in self._roster.held_in_vain(time.time()):
            self.pause(session)

    def plan(self, sessions: Iterable[SessionPlan]) -> None:
        """Enters a plan in the roster, and tells those sessions for which it is another one than before."""
        wanted = tuple(sessions)
        for plan in self._roster.repaused(wanted):
            self._tell(plan.id, Paused(plan.paused_until))
        for plan in self._roster.plan(wanted):
            # the operator's command may have been lost on its way; a session that got it does nothing now
            self._order(plan.id, "start" if plan.enabled else "stop")

    def reconnect(self, session: str) -> None:
        """It is to try again now."""
        self._order(session, "reconnect")

    def _order(self, session: str, name: str) -> None:
        self._tell(session, Command(0, session, name, {}, self._me))

    def fault(self, session: str, fault: ConnectorFault | None) -> None:
        """What is wrong with the connector, if anything is."""
        if fault is not None:
            self._tell(session, ConnectorTrouble(fault.kind, fault.sentence))
