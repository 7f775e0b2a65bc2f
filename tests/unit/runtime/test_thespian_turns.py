"""The loop of the transport, over real sockets: what it takes in, what it closes, when it looks again."""

import os
import pickle
import select
import socket
import threading
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from thespian.actors import ActorAddress, WatchMessage
from thespian.system.timing import ExpirationTimer, currentTime
from thespian.system.transport import Thespian__Run_Expired, TransmitIntent, TransmitOnly
from thespian.system.transport.IPBase import TCPv4ActorAddress
from thespian.system.transport.streamBuffer import toSendBuffer
from thespian.system.transport.TCPTransport import IdleSocket, TCPTransport

from actors.runtime import thespian_turns

REPLACED = ("_runWithExpiry", "_nextTransmitStepCheck", "_next_XMIT_2", "_handleReadableIncoming")
PEER = ActorAddress(TCPv4ActorAddress("127.0.0.1", 9))
SOON = timedelta(seconds=0.2)
PATIENCE = timedelta(seconds=10)


@pytest.fixture
def transport() -> Iterator[Any]:
    """Thespian's transport with a listener of its own, in no actor system."""
    plain = {name: getattr(TCPTransport, name) for name in REPLACED}
    thespian_turns.install()
    made: Any = object.__new__(TCPTransport)
    made.socket = socket.create_server(("127.0.0.1", 0))
    made.myAddress = ActorAddress(TCPv4ActorAddress("127.0.0.1", made.socket.getsockname()[1]))
    made._adminAddr = made.myAddress
    for name in ("_transmitIntents", "_incomingSockets", "_openSockets"):
        setattr(made, name, {})
    for name in ("_waitingTransmits", "_incomingEnvelopes", "_finished_intents", "_watches"):
        setattr(made, name, [])
    made._checkChildren = made._shutdownSignalled = made._aTB_processing = False
    made._aTB_lock, made._aTB_queuedPendingTransmits = threading.Lock(), deque()
    try:
        yield made
    finally:
        for each in (made, *made._openSockets.values(), *made._incomingSockets.values()):
            each.socket.close()
        for name, method in plain.items():
            setattr(TCPTransport, name, method)


def taken(transport: Any, within: timedelta = PATIENCE) -> Any:
    """The next message, or what ended the run."""
    transport.run_time = ExpirationTimer(within)
    found = transport._runWithExpiry(None)
    return getattr(found, "message", found)


def connected(transport: Any) -> socket.socket:
    return socket.create_connection(transport.socket.getsockname())


def packet(message: object) -> bytes:
    return bytes(toSendBuffer((PEER, message), pickle.dumps))


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=20))
def test_the_pieces_of_a_packet_make_one_message(content: bytes, pieces: list[int]) -> None:
    generator = transport.__wrapped__()  # type: ignore[attr-defined]
    each = next(generator)
    try:
        rest = packet(content)
        with connected(each) as peer:
            for size in pieces:
                if len(rest) > size:
                    peer.sendall(rest[:size])
                    rest = rest[size:]
                    assert isinstance(taken(each, timedelta(seconds=0.002)), Thespian__Run_Expired)
            peer.sendall(rest)
            assert taken(each) == content
            assert select.select([peer], [], [], 10)[0], "it is acknowledged"
            peer.sendall(packet("another over the same connection"))
            assert taken(each) == "another over the same connection"
    finally:
        generator.close()


@pytest.mark.parametrize(
    "ending", [b"", b"1", b"1000>half of it", b"-5>x", b"no length at all, for more than 40 bytes"]
)
def test_a_broken_connection_is_closed_and_the_others_go_on(transport: Any, ending: bytes) -> None:
    with connected(transport) as broken, connected(transport) as well:
        broken.sendall(ending)
        broken.shutdown(socket.SHUT_WR)
        well.sendall(packet("well"))
        assert taken(transport) == "well"
        assert isinstance(taken(transport, SOON), Thespian__Run_Expired)
        broken.settimeout(10)
        assert broken.recv(1000) in {b"", bytes(thespian_turns_refusal())}
        assert not transport._incomingSockets
        assert len(transport._openSockets) == 1


def thespian_turns_refusal() -> bytes:
    import thespian.system.transport.TCPTransport as module  # noqa: PLC0415 - its value is replaced by ``harden``

    return bytes(module.ackDataErrMsg)


def test_a_watch_is_told_of_and_a_closed_one_is_forgotten(transport: Any) -> None:
    readable, writer = os.pipe()
    closed, other = os.pipe()
    os.close(closed)
    try:
        transport._watches = [closed, readable]
        os.write(writer, b"x")
        message = taken(transport)
        assert isinstance(message, WatchMessage)
        assert message.ready == [readable]
        assert transport._watches == [readable]
    finally:
        for fd in (readable, writer, other):
            os.close(fd)


def test_connections_that_were_idle_for_too_long_are_closed(transport: Any) -> None:
    ours, theirs = socket.socketpair()
    fresh, end = socket.socketpair()
    old, new = IdleSocket(ours, PEER), IdleSocket(fresh, transport.myAddress)
    old.validity = ExpirationTimer(timedelta(0))
    transport._openSockets = {"old": old, "new": new}
    assert isinstance(taken(transport, SOON), Thespian__Run_Expired)
    assert transport._openSockets == {"new": new}
    assert theirs.recv(1) == b""
    for each in (theirs, end):
        each.close()


def test_what_has_nothing_to_send_does_not_wait_to_have_sent_it(transport: Any) -> None:
    transport.run_time = ExpirationTimer(PATIENCE)
    assert transport._runWithExpiry(TransmitOnly) == 0


@given(
    st.floats(0.0, 100.0),
    st.lists(st.tuples(st.floats(0.1, 100.0), st.floats(-5.0, 100.0)), max_size=5),
)
def test_it_sleeps_until_the_first_thing_is_due_and_never_not_at_all(
    runs: float, waiting: list[tuple[float, float]]
) -> None:
    each: Any = object.__new__(TCPTransport)
    each._transmitIntents, each._incomingSockets, each._waitingTransmits = {}, {}, []
    each._looked = currentTime() - 1.0  # a handler took a second since: what became due meanwhile is due now
    each.run_time = ExpirationTimer(timedelta(seconds=runs))
    for ends, retry in waiting:
        intent = TransmitIntent(PEER, "x", maxPeriod=timedelta(seconds=ends))
        intent._retryTime = ExpirationTimer(timedelta(seconds=retry))
        each._waitingTransmits.append(intent)
    others = [runs, *(ends for ends, _ in waiting)]
    slept = thespian_turns._patience(each)
    assert slept is not None
    assert slept >= 1
    assert slept <= max(1.0, min([*others, *(retry for _, retry in waiting if retry > -0.9)]) * 1000 + 1)
    if all(retry < -1.1 for _, retry in waiting):
        assert slept >= min(others) * 1000 - 100, "who waits for something else does not keep it busy"
    each.run_time = ExpirationTimer(None)
    each._waitingTransmits = []
    assert thespian_turns._patience(each) is None
