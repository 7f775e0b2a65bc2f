"""The loop of Thespian's TCP transport, whose turns cost what they do and not what is open.

An actor keeps a connection to everybody it talks to: a shard to its sessions, a service to all shards.  Thespian 4.0.1
looks at each of them in each turn, in several passes of Python, makes a selector anew and registers all with it; and it
takes three or four turns to send a message, two to receive one.  It is replaced, with the same order of things:

- ``poll(2)`` is filled without system calls, and only what is ready is looked at;
- what can go on at once does: from the last byte sent to the wait for its acknowledgement, and from the length of a
  packet to the packet;
- connections are looked through for those that were idle for too long now and then, not always.

`tests.bench.fleet` shows what that is worth.
"""

import contextlib
import logging
import math
import select
import time
from collections.abc import Iterator
from typing import Any, Final

from thespian.actors import WatchMessage
from thespian.system.timing import currentTime
from thespian.system.transport import (
    ReceiveEnvelope,
    SendStatus,
    Thespian__Run_Expired,
    Thespian__Run_HandlerResult,
    Thespian__Run_Terminated,
    TransmitOnly,
)
from thespian.system.transport.TCPTransport import TCPIncomingPersistent, TCPTransport, _safeSocketShutdown, opsKey

log = logging.getLogger(__name__)

READ = select.POLLIN
WRITE = select.POLLOUT
READ_LIMIT = 1_024_000
"""Bytes taken from a connection at a time."""
IDLE_LOOK = 10.0
"""Seconds between looks for connections that were idle for too long (Thespian: 20 minutes)."""

_NOTHING: Final = object()
_plain_send = TCPTransport._next_XMIT_2  # noqa: SLF001


def install() -> None:
    """Replaces it in this process and all that it forks."""
    TCPTransport._runWithExpiry = _run  # noqa: SLF001
    TCPTransport._nextTransmitStepCheck = _go_on  # noqa: SLF001
    TCPTransport._next_XMIT_2 = _send  # noqa: SLF001
    TCPTransport._handleReadableIncoming = _receive  # noqa: SLF001


def _run(self: Any, handler: Any) -> Any:
    """In place of ``TCPTransport._runWithExpiry``: turns until ``run_time`` is over, or the handler says so."""
    only_sending = handler == TransmitOnly or isinstance(handler, TransmitOnly)
    self.__dict__.pop("_aborting_run", None)
    while not _aborted(self) and not self.run_time.view().expired():
        if only_sending:
            if not self._transmitIntents and not self._waitingTransmits:
                return 0
        elif (result := _deliver(self, handler)) is not _NOTHING:
            return result
        sending = len(self._transmitIntents) + len(self._waitingTransmits)
        ready, idle = _wait(self, only_sending)
        with _exclusively(self):
            moved = _process(self, ready, idle, only_sending)
        done, self._finished_intents = self._finished_intents, []
        for intent, status in done:
            intent.tx_done(status)  # which may send more
        if not moved:
            if self.run_time.view().expired():
                return Thespian__Run_Expired()
        elif only_sending:
            left = len(self._transmitIntents) + len(self._waitingTransmits)
            if left < sending or not left:
                return left
        elif (result := _deliver(self, handler)) is not _NOTHING:
            return result
    return Thespian__Run_Terminated() if hasattr(self, "_aborting_run") else Thespian__Run_Expired()


def _aborted(self: Any) -> bool:
    """``abort_run`` was called, and what it wants sent first is sent."""
    draining = getattr(self, "_aborting_run", None)
    return draining is not None and not (draining and (self._transmitIntents or self._waitingTransmits))


def _deliver(self: Any, handler: Any) -> Any:
    """Gives the handler what came; returns what ends the run, or _NOTHING."""
    while self._incomingEnvelopes:
        envelope = self._incomingEnvelopes.pop(0)
        if handler is None:
            return envelope
        if not (result := Thespian__Run_HandlerResult(handler(envelope))):
            return result
    return _NOTHING


@contextlib.contextmanager
def _exclusively(self: Any) -> Iterator[None]:
    """Other threads may send meanwhile; none does so here, but Thespian relies on the flag."""
    while not self._exclusively_processing():
        time.sleep(0)
    try:
        yield
    finally:
        self._not_processing()


def _wait(self: Any, only_sending: bool) -> tuple[list[tuple[int, int]], dict[int, Any]]:
    """Descriptors with what they are ready for, and which descriptor is which idle connection."""
    poll = select.poll()
    register = poll.register
    for intent in self._transmitIntents.values():
        # one that was closed here has no number any more: its time ends it
        if getattr(intent, "socket", None) and intent.socket.fileno() >= 0 and not intent.backoffPause():
            register(intent.socket.fileno(), READ if intent.stage == self._XMITStepWaitForAck else WRITE)
    for fd, incoming in self._incomingSockets.items():
        if fd and not incoming.backoffPause():
            register(fd, READ)
    idle = {each.socket.fileno(): each for each in self._openSockets.values() if each.socket.fileno() >= 0}
    for fd in idle:
        register(fd, READ)
    if not only_sending:
        register(self.socket.fileno(), READ)
    for fd in self._watches:
        register(fd, READ)
    return poll.poll(_patience(self)), idle


def _patience(self: Any) -> int | None:
    """Milliseconds until something is due; None if nothing ever is.

    What was due when they were last looked at waits for something else since; what became due after that, while a
    handler took its time, is looked at in a moment.
    """
    now, looked = currentTime(), self.__dict__.get("_looked", -math.inf)
    ends = [self.run_time._time_to_quit]  # noqa: SLF001 - a view of a timer is two objects more a look
    for each in (*self._transmitIntents.values(), *self._waitingTransmits):
        ends.append(each._quitTime._time_to_quit)  # noqa: SLF001
        ends += _later(each, looked)
    for each in self._incomingSockets.values():
        ends.append(each._expires._time_to_quit)  # noqa: SLF001
        ends += _later(each, looked)
    known = [end for end in ends if end is not None]
    return max(1, math.ceil((min(known) - now) * 1000)) if known else None


def _later(each: Any, looked: float) -> list[float]:
    """When it wants to be looked at again, where that was not over when it was."""
    timers = (each.__dict__.get("_retryTime"), each.__dict__.get("_pauseUntil"))
    ends = [timer._time_to_quit for timer in timers if timer is not None]  # noqa: SLF001
    return [end for end in ends if end > looked]


def _process(self: Any, ready: list[tuple[int, int]], idle: dict[int, Any], only_sending: bool) -> bool:
    """Does what can be done now; whether anything was ready."""
    for fd in [fd for fd, mask in ready if mask & select.POLLNVAL]:
        _forget(self, fd)
    # as the standard library's selectors have it: an error or a hang-up wakes whoever waits
    readable = [fd for fd, mask in ready if mask & ~WRITE and not mask & select.POLLNVAL]
    writable = [fd for fd, mask in ready if mask & ~READ and not mask & select.POLLNVAL]
    for fd in readable:
        _read(self, fd, idle, only_sending)
    for fd in writable:
        self._processIntents(fd)
    self._looked = currentTime()
    if self._transmitIntents or self._waitingTransmits:
        self._processIntentTimeouts()
    for fd, incoming in list(self._incomingSockets.items()):
        if incoming._expires.view().expired():  # noqa: SLF001
            del self._incomingSockets[fd]
            incoming.close()
    _close_idle(self)
    if watched := [fd for fd in self._watches if fd in readable]:
        self._incomingEnvelopes.append(ReceiveEnvelope(self.myAddress, WatchMessage(watched)))
    return bool(readable or writable)


def _read(self: Any, fd: int, idle: dict[int, Any], only_sending: bool) -> None:
    """A descriptor is readable: somebody connects, says something, or acknowledges."""
    if fd == self.socket.fileno():
        if not only_sending:
            self._acceptNewIncoming()
    elif fd in self._incomingSockets:
        _heard(self, fd, self._incomingSockets.pop(fd))
    elif not self._processIntents(fd) and fd in idle:
        connection = idle[fd]
        if self._openSockets.get(opsKey(connection.rmtaddr)) is connection:  # nobody took it in this turn
            del self._openSockets[opsKey(connection.rmtaddr)]
            _heard(self, fd, TCPIncomingPersistent(connection.rmtaddr, connection.socket))


def _heard(self: Any, fd: int, incoming: Any) -> None:
    """Reads from a connection, and keeps it among those of which more is to come."""
    still = self._handlePossibleIncoming(incoming, fd, has_exclusive_flag=True)
    if still:
        self._incomingSockets[still.socket.fileno()] = still


def _forget(self: Any, fd: int) -> None:
    """The descriptor is closed."""
    if fd in self._watches:
        self._watches = [each for each in self._watches if each != fd]
    else:
        self._cancel_fd_ops(fd)


def _close_idle(self: Any) -> None:
    now = currentTime()
    if now < self.__dict__.get("_idle_look", 0.0):
        return
    self._idle_look = now + IDLE_LOOK
    for key, connection in list(self._openSockets.items()):
        if connection.expired():
            del self._openSockets[key]
            _safeSocketShutdown(connection)


def _go_on(self: Any, intent: Any, fileno: int, closed: bool = False) -> bool:
    """In place of ``TCPTransport._nextTransmitStepCheck``; ``fileno`` -1 looks whether its time has come."""
    if fileno == -1:
        due = intent.timeToRetry(opsKey(intent.targetAddr) in self._openSockets)
    else:
        due = self._socketFile(intent) == fileno
    if due:
        if closed:
            intent.stage = self._XMITStepRetry
        return bool(self._nextTransmitStep(intent))
    return not intent.expired() or bool(self._finishIntent(intent, SendStatus.Failed))


def _send(self: Any, intent: Any) -> bool:
    """In place of ``TCPTransport._next_XMIT_2``: after the last byte, waits for the acknowledgement at once."""
    going_on = bool(_plain_send(self, intent))
    if going_on and intent.stage == self._XMITStepShutdownWrite:
        return bool(self._nextTransmitStep(intent))
    return going_on


def _receive(self: Any, incoming: Any, has_exclusive_flag: bool = False) -> Any:
    """In place of ``TCPTransport._handleReadableIncoming``: reads on while there is more; None when it is finished."""
    while True:
        wanted = min(READ_LIMIT, incoming.remainingSize())
        try:
            data = incoming.socket.recv(wanted)
        except BlockingIOError:
            return incoming
        except (OSError, ValueError):  # an impossible length is refused by ``transport``, where that is installed
            data = b""
        if not data:  # it ended in the middle of a packet
            incoming.close()
            return None
        try:
            incoming.addData(data)
        except Exception as error:  # noqa: BLE001 - whatever a stranger sent
            log.debug("a connection was closed: %s", error)
            incoming.close()
            return None
        if incoming.receivedAllData():
            return self._addedDataToIncoming(incoming, has_exclusive_flag=has_exclusive_flag)
        if len(data) < wanted:
            return incoming
