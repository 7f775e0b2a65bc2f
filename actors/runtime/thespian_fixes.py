"""What Thespian 4.0.1 gets wrong about processes, put right by replacing names inside it.

- Its admin and logger outlive whoever started them: here they die with the launcher.
- A child's exit can go unreported: handling one ``ChildActorExited`` drops every other child that is dead by then from
  the books (``MultiProcReplicator._childExited``), and nobody is told of them.  Two children that end together, as in a
  shutdown or after several kills, leave a parent that waits for ever.  The books are kept by the SIGCHLD handler alone
  (``childDied``), which reports each one it drops.
- It transmits at most 20 messages at a time, to all receivers together: 20 children that hang silence their supervisor.
  Here each ``outbox`` bounds what is under way to one receiver, and the bound for all is out of the way.
- If something listens on the admin's port already, the system attaches to it.  Here that is ``PortTaken``.
- Log lines travel as messages to a logger process: one that hangs holds up its senders.  Here every process logs to its
  own stderr, and the logger, which Thespian insists on, does nothing but beat.
- The end of the logger ends the admin, and so everything: to start another, it asks for an attribute that nobody set.
- It makes text of each message it sends, twice, and of each that it receives, for a log that is off.  Here that text
  is the message's type, so that complaints do not quote it either.
- It looks in each new process for a package that would set its title, and on Python 3.11 and later it finds out what an
  actor's ``__init__`` takes by way of two errors.  Here a title is set once, and an actor that takes nothing gets that.
- It keeps a log of its own, messages included, in a file of a well-known name that everybody can read: switched off.
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import thespian.system.multiprocCommon as multiproc
import thespian.system.transport.asyncTransportBase as async_transport
from thespian.system.messages.multiproc import LoggerConnected
from thespian.system.transport import ReceiveEnvelope, TransmitIntent, TransmitOnly
from thespian.system.transport.TCPTransport import TCPTransport
from thespian.system.utilis import thesplog_control, withPossibleInitArgs

from actors.runtime import logs, thespian_retries, thespian_turns
from actors.runtime.process import die_with_parent, set_name

MAX_TRANSMITS = 100_000
"""Messages under way from one process; more than windows of an outbox times receivers."""
GREETING_PATIENCE = timedelta(seconds=5)
"""For the logger to tell the admin that it is there."""

_plain_admin = multiproc.MultiProcAdmin.__init__
_plain_probe = TCPTransport.probeAdmin
_plain_create = withPossibleInitArgs.create


class PortTaken(Exception):
    """Another process listens on the port that was chosen for the admin."""


def install(launcher: int, logger_beats: int, period: float) -> None:
    """Replaces them in this process and all that it forks; Thespian's own processes die with ``launcher`` (a pid).

    Each ``period`` seconds the logger writes its pid to the descriptor ``logger_beats``, a line each.
    """

    def admin(self: Any, transport: Any, address: Any, capabilities: Any, definitions: Any, context: Any) -> None:
        die_with_parent(launcher)  # Thespian double-forks it; the launcher inherits orphans
        set_name("wv:admin")
        logs.restore()
        logs.identify("admin")
        logging.disable(logging.INFO)  # its greeting says nothing to an operator
        _plain_admin(self, transport, address, capabilities, definitions, context)
        self.logDefs = definitions
        logging.disable(logging.NOTSET)

    multiproc.MultiProcAdmin.__init__ = admin
    multiproc.startupASLogger = _logger(logger_beats, period)
    multiproc.ThespianLogForwarder = lambda *_args, **_kwargs: logs.root()
    multiproc.setProcName = lambda *_args: None
    withPossibleInitArgs.create = _create
    thespian_retries.install()
    thespian_turns.install()
    for each in (TransmitIntent, ReceiveEnvelope):
        each.identify = _identify
    multiproc.MultiProcReplicator._childExited = _child_exited  # noqa: SLF001 - that is the point
    async_transport.MAX_PENDING_TRANSMITS = MAX_TRANSMITS
    TCPTransport.probeAdmin = staticmethod(_probe)
    thesplog_control(logging.CRITICAL, False, 0)


def _logger(beats: int, period: float) -> Callable[..., None]:
    def run(admin: Any, endpoint: Any, _definitions: Any, transport_class: Any, _aggregator: Any) -> None:
        die_with_parent()
        set_name("wv:logger")
        transport = transport_class(endpoint)
        transport.scheduleTransmit(None, TransmitIntent(admin, LoggerConnected()))
        transport.run(TransmitOnly, GREETING_PATIENCE)
        line = f"{os.getpid()}\n".encode()
        while True:  # nobody sends it anything, so it reads nothing
            with contextlib.suppress(BlockingIOError):
                os.write(beats, line)
            time.sleep(period)

    return run


def _identify(self: Any) -> str:
    """In place of ``identify`` of a message on its way out or in."""
    return f"{type(self).__name__}({type(self.message).__name__})"


def _create(self: Any, actor_class: Any) -> Any:
    """In place of ``withPossibleInitArgs.create``."""
    code = getattr(actor_class.__init__, "__code__", None)
    if code is not None and code.co_argcount == 1 and code.co_kwonlyargcount == 0:
        return actor_class()
    return _plain_create(self, actor_class)


def _probe(address: Any) -> bool:
    if _plain_probe(address):
        raise PortTaken(f"another process has {address.addressDetails.bindArgs[0]}")
    return False


def _child_exited(self: Any, child: Any) -> None:
    """In place of ``MultiProcReplicator._childExited``: see the module."""
