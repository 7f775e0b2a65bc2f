"""A simulated pairing: QR texts that replace each other, a code to be typed, and the phone's answer."""

import asyncio
from typing import TYPE_CHECKING

from actors.connectors.fields import BadField
from actors.connectors.link_events import Paired, Qr
from actors.connectors.protocol import ErrorCode, Reason
from actors.connectors.simulator.credentials import Credentials
from actors.connectors.simulator.faults import Close
from actors.connectors.simulator.shared import Shared
from actors.connectors.simulator.world import chance
from actors.runtime.rpc import RemoteError

if TYPE_CHECKING:
    from actors.connectors.simulator.connection import Connection
    from actors.connectors.simulator.session import Session

FIRST_SECONDS = 60.0
NEXT_SECONDS = 20.0
QR_COUNT = 6
"""As the real client does: the first QR is shown for 60 s, five more for 20 s each, then the pairing has expired."""
CODE_LETTERS = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
CODE_LENGTH = 8


class Pairing:
    """One attempt to pair, from the first QR to the phone's answer or the expiry."""

    __slots__ = ("_code", "_codes", "_connection", "_ends", "_number", "_session", "_shared", "_timer", "current")

    def __init__(self, session: "Session", connection: "Connection", shared: Shared) -> None:
        self._session = session
        self._connection = connection
        self._shared = shared
        self._number = 0
        self._codes = 0
        self._code: tuple[str, str] | None = None  # with the phone that it was asked for
        self._timer: asyncio.TimerHandle | None = None
        self._ends = shared.now_ms() + int((FIRST_SECONDS + (QR_COUNT - 1) * NEXT_SECONDS) * 1000)
        self.current: tuple[str | None, int | None] = (None, None)
        """The QR on show and when it expires (milliseconds since 1970); Nones when the phone has answered."""

    def show(self) -> None:
        """Shows the next QR, or gives up after the last."""
        if self._number == QR_COUNT:
            self._connection.end(Close(408, Reason.PAIRING_EXPIRED, "QR refs attempts ended"))
            return
        seconds = NEXT_SECONDS if self._number else FIRST_SECONDS
        self._number += 1
        qr, expires_at = f"sim:{self._session.id}:{self._number}", self._shared.now_ms() + int(seconds * 1000)
        self.current = (qr, expires_at)
        self._timer = self._shared.loop.call_later(seconds, self.show)
        self._connection.tell(Qr(**self._connection.stamp, qr=qr, expires_at=expires_at))

    def stop(self) -> None:
        """No further QR."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.current = (None, None)

    def ask_code(self, phone: str) -> tuple[str, int]:
        """A code for this phone to type, and when it expires.  Raises RemoteError ``not_pairing``."""
        self._expect_phone_pending()
        self._codes += 1
        seed, name = self._shared.options.seed, f"code/{phone}/{self._codes}"
        picks = (int(chance(seed, self._session.id, name, n) * len(CODE_LETTERS)) for n in range(CODE_LENGTH))
        code = "".join(CODE_LETTERS[pick] for pick in picks)
        self._code = (code, phone)
        return code, self._ends

    def scan(self, phone: str, qr: str | None) -> None:
        """A phone scanned the QR.  Raises RemoteError ``not_pairing``, BadField if it is not the one on show."""
        self._expect_phone_pending()
        if qr is not None and qr != self.current[0]:
            raise BadField("qr", "is not the one on show")
        self._answered_by(phone)

    def enter_code(self, code: str) -> None:
        """The code was typed on the phone.  Raises RemoteError ``not_pairing``, BadField for a wrong code."""
        self._expect_phone_pending()
        if self._code is None or code != self._code[0]:
            raise BadField("code", "is not the one that was asked for")
        self._answered_by(self._code[1])

    def _expect_phone_pending(self) -> None:
        if self._timer is None:
            raise RemoteError(ErrorCode.NOT_PAIRING, "the phone has answered already")

    def _answered_by(self, phone: str) -> None:
        self.stop()
        self._connection.start(self._complete(phone))

    async def _complete(self, phone: str) -> None:
        session = self._session
        await asyncio.sleep(session.answer_time())
        credentials = Credentials.made(self._shared.options.seed, session.id, phone, session.device + 1)
        await session.vault.commit(credentials.to_first_entries(), paired=True)
        session.device = credentials.device
        session.paired = True
        session.life = session.life.paired_anew()
        session.rated = None
        self._shared.list_phone(phone, session)
        self._shared.counts["pairings"] += 1
        self._connection.tell(Paired(**self._connection.stamp, me=credentials.me))
        self._connection.end(Close(515, Reason.STREAM_ERROR, "Stream Errored (restart required)"))
