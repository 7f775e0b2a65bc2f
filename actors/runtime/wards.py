"""What the launcher watches: whether root, admin and logger are well.

Root and admin are asked each period, in messages that go through their own loops; the logger beats by itself.
"""

import contextlib
import logging
import os
from typing import Any

from thespian.actors import ActorAddress, ActorSystem, ActorSystemFailure
from thespian.system.messages.status import Thespian_StatusReq, Thespian_SystemStatus

from actors.messages.supervision import Ping, Pong
from actors.runtime import liveness
from actors.runtime.liveness import Beats, Silence
from actors.runtime.process import kill_quietly, parent_of

log = logging.getLogger(__name__)

ANSWER_PATIENCE = 0.1
"""Seconds that a question waits for its answer; a later one is found with the next look."""
GLANCE = 0.001
"""Seconds to take in what has arrived."""
ASKS_A_TIMEOUT = 4
"""Questions within one timeout to who does not answer: unsent messages to one that hangs pile up in Thespian."""


class Wards:
    """``look`` names who is hung; a hung logger is ended here, since Thespian starts another."""

    def __init__(
        self, system: ActorSystem, root: ActorAddress, admin: int, logger_beats: int, beats: Beats, now: float
    ) -> None:
        self._system = system
        self._beats = beats
        self._admin = admin
        self._logger_beats = logger_beats
        self._logger: int | None = None
        """Its pid, once it has beaten."""
        address = system._systemBase.adminAddr  # noqa: SLF001 - Thespian tells it in no other way
        self._questions: dict[str, tuple[ActorAddress, Any]] = {
            "root": (root, Ping()),
            "admin": (address, Thespian_StatusReq()),
        }
        self._silences = {name: Silence(now) for name in (*self._questions, "logger")}
        self._ask_at = dict.fromkeys(self._questions, now)

    def look(self, now: float) -> str | None:
        """Asks, hears, and names the one that has been silent for too long, root or admin."""
        self._hear_logger(now)
        self._hear(self._system.listen(GLANCE), now)
        for name, (address, question) in self._questions.items():
            if now >= self._ask_at[name]:
                self._ask_at[name] = now + max(self._beats.period, self._beats.timeout / ASKS_A_TIMEOUT)
                with contextlib.suppress(ActorSystemFailure):  # its end is noticed by its pidfd
                    self._hear(self._system.ask(address, question, ANSWER_PATIENCE), now)
        for name, silence in self._silences.items():
            self._silences[name] = liveness.look(silence, now, self._beats)
        hung = [name for name, silence in self._silences.items() if liveness.hung(silence, self._beats.timeout)]
        if "logger" in hung:
            self._end_logger(now)
        return next((name for name in hung if name != "logger"), None)

    def _hear(self, answer: Any, now: float) -> None:
        """Whose answer it is tells its type: ``ask`` returns whatever comes next."""
        name = {Pong: "root", Thespian_SystemStatus: "admin"}.get(type(answer))
        if name is not None:
            self._silences[name] = liveness.heard(self._silences[name], now)
            self._ask_at[name] = now + self._beats.period

    def _hear_logger(self, now: float) -> None:
        with contextlib.suppress(BlockingIOError):
            lines = os.read(self._logger_beats, 65536).split()
            self._logger = int(lines[-1])
            self._silences["logger"] = liveness.heard(self._silences["logger"], now)

    def _end_logger(self, now: float) -> None:
        self._silences["logger"] = Silence(now)  # a second deadline of the same length runs for its successor
        if self._logger is not None and parent_of(self._logger) == self._admin:
            log.warning("the logger process is hung and is ended; it had nothing to do")
            kill_quietly(self._logger)
