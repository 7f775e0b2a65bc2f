"""What the attempts of a host's sessions come to: told to the board of the fleet, and an outage of this host alone.

What happens behind a proxy is evidence about that proxy; only that the client is too old concerns all ways.
Outages and evidence are pure (``actors.admission``); this remembers, for the gatekeeper, what they are decided on.
"""

from dataclasses import dataclass

from actors.admission import board
from actors.admission.board import Board
from actors.admission.evidence import Evidence, evidence
from actors.admission.outage import OUTDATED, Outage
from actors.connectors.host.passage import Passage
from actors.session.causes import Cause


@dataclass(frozen=True, slots=True)
class _News:
    session: str
    cause: Cause | None
    """What it failed for; None: it got through."""
    detoured: bool
    """Whether it went through a proxy."""


class Troubles:
    """``now`` is CLOCK_MONOTONIC in seconds, ``wall`` seconds since 1970."""

    def __init__(self, shard: int, passage: Passage) -> None:
        self._shard = shard
        self._passage = passage
        self._news: list[_News] = []
        """Of sessions that got through, or failed for a cause that others may share: not on the board yet."""
        self._trying: dict[str, bool] = {}
        """Attempts that were let in and have not come to anything yet, and whether they go through a proxy."""
        self._failing: set[str] = set()
        """Sessions that failed for such a cause since somebody in the fleet got through, in ``_epoch``."""
        self._epoch = 0
        self._here: set[str] = set()
        """The same, since somebody of this host got through."""
        self._outdated = False
        """Whether somebody with a proxy is among them."""
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

    def begun(self, session: str, *, detoured: bool) -> None:
        """A session is let in, perhaps through a proxy."""
        self._trying[session] = detoured

    def unused(self, session: str) -> None:
        """It did not go."""
        self._trying.pop(session, None)

    def through(self, session: str) -> None:
        """A session is in touch with WhatsApp."""
        detoured = self._trying.pop(session, None)
        if detoured is not None:
            self._news.append(_News(session, None, detoured))

    def ended(self, session: str, cause: Cause, now: float, wall: float) -> bool:
        """An attempt ended for that cause before it was open; whether there is something for the board."""
        detoured = self._trying.pop(session, None)
        if detoured is None:
            return False
        told = evidence(cause)
        if cause is Cause.PROXY_FAILED or (detoured and told is Evidence.BLOCKED and cause != OUTDATED):
            self._passage.failed(session, str(cause), now, wall)
            return False
        if told is Evidence.NONE:
            return False
        self._news.append(_News(session, cause if told is Evidence.BLOCKED else None, detoured))
        return True

    def forget(self, session: str) -> None:
        """The session is no more."""
        self._trying.pop(session, None)
        for known in (self._failing, self._here):
            known.discard(session)

    def remedied(self) -> None:
        """What led to an outage was changed."""
        self._news.append(_News("", None, detoured=False))

    # the board

    def tell(self, found: Board, members: int, now: float, wall: float) -> Board:
        """The board with what is new; ``members``: how many sessions of this host should run."""
        if self.fleet.on and not found.outage.on:
            self._over_here(now)  # it was everybody's trouble and not this host's own
        for news in self._news:
            if found.epoch != self._epoch:
                self._epoch = found.epoch
                self._failing.clear()
            if news.detoured:
                found = self._passage.passed(found, news.session, now)
            if news.cause is not None:
                found = self._failed(found, news, members, now, wall)
            elif not news.detoured or self._is_outdated(found):
                found = board.passed(found, now)
                self._over_here(now)
        self._news.clear()
        return found

    def _failed(self, found: Board, news: _News, members: int, now: float, wall: float) -> Board:
        self._failing.add(news.session)
        self._here.add(news.session)
        self._outdated |= news.detoured
        self.own = self.own.failed(str(news.cause), len(self._here), members, now, wall)
        return board.failed(found, self._shard, len(self._failing), str(news.cause), now, wall)

    def _is_outdated(self, found: Board) -> bool:
        """Whether all ways share what is wrong, or seems to be."""
        on = [outage for outage in (found.outage, self.own) if outage.on]
        return any(outage.holds(detoured=True) for outage in on) if on else self._outdated

    def _over_here(self, now: float) -> None:
        self._here.clear()
        self._outdated = False
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
