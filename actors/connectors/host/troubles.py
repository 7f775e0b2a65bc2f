"""What the attempts of a host's sessions come to: told to the board of the fleet, and an outage of this host alone.

Outages and evidence are pure (``actors.admission``); this remembers, for the gatekeeper, what they are decided on.
"""

from actors.admission import board
from actors.admission.board import Board
from actors.admission.evidence import Evidence, evidence
from actors.admission.outage import Outage
from actors.connectors.host.passage import Passage
from actors.session.causes import Cause


class Troubles:
    """``now`` is CLOCK_MONOTONIC in seconds, ``wall`` seconds since 1970."""

    def __init__(self, shard: int, passage: Passage) -> None:
        self._shard = shard
        self._passage = passage
        self._news: list[tuple[str, Cause | None]] = []
        """Sessions that got through (None), or failed for a cause that others may share: not on the board yet."""
        self._trying: set[str] = set()
        """Attempts that were let in and have not come to anything yet."""
        self._failing: set[str] = set()
        """Sessions that failed for such a cause since somebody in the fleet got through, in ``_epoch``."""
        self._epoch = 0
        self._here: set[str] = set()
        """The same, since somebody of this host got through."""
        self._own_probe: int | None = None
        """If the last slot was a probe of this host alone, its number."""
        self.own = Outage()
        """A trouble that the sessions of this host alone share."""
        self.fleet = Outage()
        """What the board said at the last look."""

    def outage(self) -> Outage | None:
        """The one that this host is in: the fleet's, else its own."""
        return next((outage for outage in (self.fleet, self.own) if outage.on), None)

    # attempts

    def begun(self, session: str) -> None:
        """A session is let in."""
        self._trying.add(session)

    def unused(self, session: str) -> None:
        """It did not go."""
        self._trying.discard(session)

    def through(self, session: str) -> None:
        """A session is in touch with WhatsApp."""
        if session in self._trying:
            self._trying.discard(session)
            self._news.append((session, None))

    def ended(self, session: str, cause: Cause, now: float, wall: float) -> bool:
        """An attempt ended for that cause before it was open; whether there is something for the board."""
        if session not in self._trying:
            return False
        self._trying.discard(session)
        told = evidence(cause)
        if cause is Cause.PROXY_FAILED:
            self._passage.failed(session, str(cause), now, wall)
        if told is Evidence.NONE:
            return False
        self._news.append((session, cause if told is Evidence.BLOCKED else None))
        return True

    def forget(self, session: str) -> None:
        """The session is no more."""
        for known in (self._trying, self._failing, self._here):
            known.discard(session)

    def remedied(self) -> None:
        """What led to an outage was changed."""
        self._news.append(("", None))

    # the board

    def tell(self, found: Board, members: int, now: float, wall: float) -> Board:
        """The board with what is new; ``members``: how many sessions of this host should run."""
        if self.fleet.on and not found.outage.on:
            self._over_here(now)  # it was everybody's trouble and not this host's own
        for session, cause in self._news:
            if found.epoch != self._epoch:
                self._epoch = found.epoch
                self._failing.clear()
            found = self._passage.passed(found, session, now)
            if cause is None:
                found = board.passed(found, now)
                self._over_here(now)
                continue
            self._failing.add(session)
            self._here.add(session)
            found = board.failed(found, self._shard, len(self._failing), str(cause), now, wall)
            self.own = self.own.failed(str(cause), len(self._here), members, now, wall)
        self._news.clear()
        return found

    def _over_here(self, now: float) -> None:
        self._here.clear()
        self.own = self.own.passed(now)

    # probes of this host alone

    def hurried(self, now: float) -> None:
        """An operator wants to know now whether it is over."""
        self.own = self.own.hurried(now)

    def took(self, now: float, *, probe: bool) -> None:
        """A slot was taken: for a probe, or not."""
        self._own_probe = None
        if probe:
            self.own = self.own.probed(now)
            self._own_probe = self.own.probes

    def gave_back(self, now: float) -> None:
        """The slot was not used."""
        if self._own_probe is not None:
            self.own = self.own.unprobed(self._own_probe, now)
