"""`wavigil pair`: shows the QR code or asks for a pairing code, and says when it worked."""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from daemon.cli.client import ApiError, Client, segment
from daemon.cli.errors import CliError
from daemon.cli.options import IdArgument
from daemon.cli.qr import draw, width

PhoneOption = Annotated[
    str | None,
    typer.Option(
        "--phone", metavar="NUMBER", help="Get a code to type instead, for this phone number.", show_default=False
    ),
]
TimeoutOption = Annotated[int, typer.Option("--timeout", metavar="SECONDS", min=1, help="When to give up.")]

POLL_SECONDS = 1.0
FAILED_STATES = frozenset({"blocked", "halted", "stopped", "parked"})
CLEAR = "\x1b[H\x1b[2J"

HOW_QR = "On the phone: WhatsApp > Settings > Linked devices > Link a device, then scan:"
HOW_CODE = (
    "On the phone: WhatsApp > Settings > Linked devices > Link a device > Link with phone number instead, then type:"
)


@dataclass
class Pairing:
    """One pairing, from the terminal's side.  ``clock`` and ``sleep`` are replaced in tests."""

    client: Client
    session: str
    terminal: bool
    """Whether stdout is a terminal: codes are drawn over each other, in colours."""
    columns: int
    deadline: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _shown: str | None = field(default=None, init=False)
    _before: str = field(default="", init=False)
    """Since when it was in the state that it was found in."""

    def by_qr(self) -> str:
        """Show codes until the session is open; returns the account.

        Raises:
            CliError: it is paired already, failed, or took too long.
        """
        self._look()
        self._show(self._ask())
        while True:
            self._wait()
            # Right before asking: for a session that has failed meanwhile, asking begins another pairing.
            account = self._account()
            if account is not None:
                return account
            try:
                self._show(self._ask())
            except ApiError as error:
                # Paired, and on its way to open.
                if error.reason != "conflict":
                    raise

    def by_code(self, phone: str) -> str:
        """Show a code to type; returns the account once the session is open.

        Raises:
            CliError: it failed, or the code expired.
        """
        self._look()
        answer = self.client.post(f"{self._path}/pairing-code", {"phone": phone})
        code = str(answer["code"])
        shown = f"{code[:4]}-{code[4:]}" if len(code) == 8 else code  # noqa: PLR2004  # as phones show it
        typer.echo(f"{HOW_CODE}\n\n    {shown}\n")
        while True:
            account = self._account()
            if account is not None:
                return account
            if answer["expiresAt"] and datetime.fromisoformat(answer["expiresAt"]) < datetime.now(UTC):
                raise CliError(
                    "the code expired before it was typed", f"Get another: wavigil pair {self.session} --phone …"
                )
            self._wait()

    @property
    def _path(self) -> str:
        return f"/api/sessions/{segment(self.session)}"

    def _ask(self) -> dict[str, Any] | None:
        """The code of the moment; None while there is none."""
        try:
            answer: dict[str, Any] = self.client.get(f"{self._path}/pairing", wait="5s")
        except ApiError as error:
            if error.reason == "timeout":
                return None
            raise
        return answer

    def _show(self, answer: dict[str, Any] | None) -> None:
        content = answer["qr"] if answer else None
        if content is None or content == self._shown:
            return
        drawing = draw(content, colour=self.terminal)
        typer.echo(f"{CLEAR if self.terminal else ''}{HOW_QR}\n\n{drawing}")
        if self.terminal and width(drawing) > self.columns:
            typer.echo(f"The terminal is too narrow: make it at least {width(drawing)} columns wide.")
        self._shown = content

    def _look(self) -> None:
        """Note the state before the pairing: a session that was logged out is halted until a code comes."""
        status = self._status()
        if status["state"] == "open":
            raise CliError(f"{self.session} is paired and open already")
        self._before = status["statusMetadata"]["since"]

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.client.get(f"/api/whatsapp-status/{segment(self.session)}")
        return status

    def _account(self) -> str | None:
        """The account once it is open; None while it is on its way."""
        status = self._status()
        if status["state"] == "open":
            return str(status["statusMetadata"]["me"] or "the account")
        if status["state"] in FAILED_STATES and status["statusMetadata"]["since"] != self._before:
            cause = status["statusMetadata"]["cause"] or {}
            why = cause.get("message") or cause.get("name") or "no reason is known"
            raise CliError(f"{self.session} is {status['state']}: {why}", cause.get("remedy") or "")
        return None

    def _wait(self) -> None:
        if self.clock() > self.deadline:
            raise CliError("nobody scanned the code in time", f"Try again: wavigil pair {self.session}")
        self.sleep(POLL_SECONDS)


def pair(client: Client, session: IdArgument, phone: PhoneOption = None, timeout: TimeoutOption = 300) -> None:
    """Link a session with a phone: draws the QR code here, draws it anew when it changes, says when it worked."""
    terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns
    pairing = Pairing(client, session, terminal, columns, time.monotonic() + timeout)
    try:
        account = pairing.by_qr() if phone is None else pairing.by_code(phone)
    except KeyboardInterrupt:
        raise CliError("left before it was paired", f"Go on with: wavigil pair {session}") from None
    except ApiError as error:
        if error.reason == "conflict":
            raise CliError(f"{session} is paired already", f"See wavigil status {session}.") from None
        if error.reason == "unknown_session":
            raise CliError(f"there is no session {session}", f"Add it: wavigil sessions add {session}") from None
        raise
    typer.echo(f"{session} is paired with {account} and open.")
