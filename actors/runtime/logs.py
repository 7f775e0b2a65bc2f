"""Every process logs to its own stderr, or straight to the journal where its stderr is the journal's.

Thespian replaces the root logger in each actor by one that sends every line as a message to a logger process; a message
costs more than the line is worth, and lines of a dying process would be lost.  ``setup`` runs once before anything is
forked; ``restore`` undoes the replacement inside an actor, ``identify`` says who this process is.
"""

import json
import logging
import os
import select
import sys
import time
from collections.abc import Mapping
from typing import Literal

from actors.masking import mask_log, mask_value
from actors.runtime.journald import Journal, stderr_is_journal

IDENTIFIER = "wavigil"
"""What `journalctl -t` knows the daemon by."""

PRIORITY = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""Severities of syslog(3)."""

HUMAN = "%(levelname)s %(name)s[%(process)d]: %(message)s"

_root = logging.root
_manager = logging.Logger.manager
_process: dict[str, str] = {"actor": "main"}
"""Who this process is; a fork has a copy of it and identifies itself."""


def identify(actor: str, session: str | None = None) -> None:
    """From now on the lines of this process carry its name in the tree, and the session that it is."""
    _process.clear()
    _process["actor"] = actor
    if session is not None:
        _process["session"] = session


class _Masked:
    """An argument of a log line, masked however it is written."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return mask_log(str(self._value))

    def __repr__(self) -> str:
        return mask_log(repr(self._value))


def _masked(value: object) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    return mask_value(value) if isinstance(value, int) else _Masked(value)


def _message(record: logging.LogRecord) -> str:
    args = record.args
    try:
        template = mask_log(str(record.msg))
        if isinstance(args, Mapping):
            return template % {name: _masked(value) for name, value in args.items()}
        return template % tuple(_masked(value) for value in args) if args else template
    except Exception:  # noqa: BLE001 - a masked number where %d wants one, or a mistake in the call
        return _plain_message(record)


def _plain_message(record: logging.LogRecord) -> str:
    try:
        return mask_log(record.getMessage())
    except Exception as error:  # noqa: BLE001 - whatever an argument raises, a log line must not
        return f"{record.msg!r} (it can't be written: {type(error).__name__})"


class Masking(logging.Filter):
    """Hides phone numbers, JIDs and keys in messages and tracebacks; adds ``actor`` and ``session`` to the record.

    Numbers that the code passes by itself (pids, ports, counts) stay.  ``extra={"session": ...}`` names a session.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, masked."""
        record.msg, record.args = _message(record), None
        if record.exc_info:
            record.exc_text = mask_log(logging.Formatter().formatException(record.exc_info))
        for name, value in _process.items():
            record.__dict__.setdefault(name, value)
        return True


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, pid, actor, session, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            **{name: record.__dict__[name] for name in ("actor", "session") if record.__dict__.get(name)},
            "message": record.getMessage(),
        }
        if record.exc_text:
            entry["error"] = record.exc_text
        return json.dumps(entry, ensure_ascii=False)


def journal_fields(record: logging.LogRecord) -> dict[str, str]:
    """A record that went through ``Masking``, as journald has it (systemd.journal-fields(7)).

    MESSAGE has the traceback too, as `journalctl` shows nothing else by itself.
    """
    message = record.getMessage()
    fields = {
        "MESSAGE": f"{message}\n{record.exc_text}" if record.exc_text else message,
        "PRIORITY": str(PRIORITY.get(record.levelname, 6)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "LOGGER": record.name,
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "CODE_FUNC": record.funcName or "",
    }
    if record.exc_info and record.exc_info[0] is not None:
        fields |= {"EXCEPTION": record.exc_info[0].__qualname__, "TRACEBACK": record.exc_text or ""}
    for name in ("actor", "session"):
        if value := record.__dict__.get(name):
            fields[f"WAVIGIL_{name.upper()}"] = str(value)
    return fields


class JournalHandler(logging.Handler):
    """To journald; what it does not take goes to stderr, and is dropped if that would block."""

    def __init__(self, journal: Journal, stderr: int = 2) -> None:
        super().__init__()
        self._journal = journal
        self._stderr = stderr

    def emit(self, record: logging.LogRecord) -> None:
        if self._journal.send(journal_fields(record)):
            return
        poll = select.poll()
        poll.register(self._stderr, select.POLLOUT)
        try:
            if poll.poll(0):
                os.write(self._stderr, self.format(record).encode(errors="backslashreplace") + b"\n")
        except OSError:
            return  # nobody is left to tell


def _handler(style: Literal["auto", "human", "json"]) -> logging.Handler:
    if style == "auto" and stderr_is_journal(os.environ):
        handler: logging.Handler = JournalHandler(Journal())
        handler.setFormatter(logging.Formatter(HUMAN))
        return handler
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if style == "json" else logging.Formatter("%(asctime)s " + HUMAN))
    return handler


def setup(level: str = "info", style: Literal["auto", "human", "json"] = "auto") -> None:
    """Sends the log of this process, and of all it forks, to the journal or to stderr.

    ``auto`` means the journal, with fields, where stderr is connected to it, else human lines.
    """
    handler = _handler(style)
    handler.addFilter(Masking())
    _root.handlers[:] = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """The least severe lines that this process writes: debug, info, warning or error."""
    _root.setLevel(level.upper())
    for chatty in ("asyncio", "aiosqlite", "sqlalchemy", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, _root.level))


def root() -> logging.Logger:
    """The root logger that ``setup`` made ready, also where Thespian has replaced it."""
    return _root


def warm_up() -> None:
    """Makes a line and throws it away, for the processes to be forked from here.

    What is no ``Mapping``, Python finds out by asking every class that is one, and remembers it; else each session does
    that anew for its first line.
    """
    Masking().filter(logging.LogRecord("", logging.INFO, "", 0, "%s", ("",), None))


def restore() -> None:
    """Puts the ordinary logging tree back in an actor process."""
    logging.root = _root
    logging.Logger.root = _root
    logging.Logger.manager = _manager
