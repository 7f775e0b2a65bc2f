"""What Thespian 4.0.1 gets wrong about processes, put right by replacing names inside it.

- Its admin and logger outlive whoever started them: here they die with the launcher.
- A child's exit can go unreported: handling one ``ChildActorExited`` drops every other child that is dead by then
from the
  books (``MultiProcReplicator._childExited``), and nobody is told of them.  Two children that end together, as in a
  shutdown or
  after several kills, leave a parent that waits for ever.  The books are kept by the SIGCHLD handler alone
  (``childDied``), which reports each one it drops.
- It transmits at most 20 messages at a time, to all receivers together: 20 children that hang silence their supervisor.
  Here each ``outbox`` bounds what is under way to one receiver, and the bound for all is out of the way.
"""

import logging
from typing import Any

import thespian.system.multiprocCommon as multiproc
import thespian.system.transport.asyncTransportBase as async_transport

from actors.runtime import logs
from actors.runtime.process import die_with_parent, set_name

MAX_TRANSMITS = 100_000
"""Messages under way from one process; more than windows of an outbox times receivers."""

_plain_admin = multiproc.MultiProcAdmin.__init__
_plain_logger = multiproc.startupASLogger


def install(launcher: int) -> None:
    """Replaces them in this process and all that it forks; Thespian's own processes die with ``launcher`` (a pid)."""

    def admin(self: Any, *args: Any, **kwargs: Any) -> None:
        die_with_parent(launcher)  # Thespian double-forks it; the launcher inherits orphans
        set_name("wv:admin")
        logs.restore()
        logs.identify("admin")
        logging.disable(logging.INFO)  # its greeting says nothing to an operator
        _plain_admin(self, *args, **kwargs)
        logging.disable(logging.NOTSET)

    multiproc.MultiProcAdmin.__init__ = admin
    multiproc.startupASLogger = _logger
    multiproc.MultiProcReplicator._childExited = _child_exited  # noqa: SLF001 - that is the point
    async_transport.MAX_PENDING_TRANSMITS = MAX_TRANSMITS


def _logger(*args: Any, **kwargs: Any) -> Any:
    die_with_parent()
    set_name("wv:logger")
    return _plain_logger(*args, **kwargs)


def _child_exited(self: Any, child: Any) -> None:
    """In place of ``MultiProcReplicator._childExited``: see the module."""
