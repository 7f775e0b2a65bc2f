"""Every process logs to its own stderr.

Thespian replaces the root logger in each actor by one that sends every line as a message to a logger process; a
message costs
more than the line is worth, and lines of a dying process would be lost.  ``setup`` runs once before anything is forked;
``restore`` undoes the replacement inside an actor.
"""

import json
import logging
import os
import sys
import time
from typing import Literal

_root = logging.root
_manager = logging.Logger.manager


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, pid, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def setup(level: str = "info", style: Literal["human", "json"] = "human") -> None:
    """Sends the log of this process, and of all it forks, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    if style == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        stamp = "" if os.environ.get("JOURNAL_STREAM") else "%(asctime)s "  # the journal has its own clock
        handler.setFormatter(logging.Formatter(stamp + "%(levelname)s %(name)s[%(process)d]: %(message)s"))
    _root.handlers[:] = [handler]
    _root.setLevel(level.upper())
    for chatty in ("asyncio", "aiosqlite", "sqlalchemy", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, _root.level))


def restore() -> None:
    """Puts the ordinary logging tree back in an actor process."""
    logging.root = _root
    logging.Logger.root = _root
    logging.Logger.manager = _manager
