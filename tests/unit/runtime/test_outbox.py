"""The queue for each receiver: order, window, bound, and a transport that answers at any moment."""

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime import outbox
from actors.runtime.outbox import WINDOW, Outbox


class Transport:
    """Keeps what it is given until a test says that it was received."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once
        self.under_way: dict[str, list[Callable[[], None]]] = defaultdict(list)
        self.sent: dict[str, list[Any]] = defaultdict(list)
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def transmit(self, address: Any, message: Any, done: Callable[[], None]) -> None:
        self.sent[address].append(message)
        if self.at_once:
            done()
        else:
            self.under_way[address].append(done)


def test_one_receiver_that_hangs_holds_up_nobody_else() -> None:
    transport = Transport()
    box = Outbox(transport.transmit, transport.wake)
    for number in range(100):
        box.put("hangs", number)
    box.put("lives", "hello")
    box.flush()
    assert transport.sent == {"hangs": list(range(WINDOW)), "lives": ["hello"]}
    assert len(box) == 100 - WINDOW
    assert transport.woken == 0


def test_a_transport_that_is_done_at_once_gets_everything_in_order_without_recursion() -> None:
    transport = Transport(at_once=True)
    box = Outbox(transport.transmit, transport.wake)
    for number in range(3000):
        box.put("a", number)
    box.flush()
    assert transport.sent["a"] == list(range(3000))
    assert transport.woken == 0
    assert not box._routes


def test_the_oldest_are_dropped_beyond_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    transport = Transport()
    box = Outbox(transport.transmit, transport.wake)
    for number in range(outbox.LIMIT + 50):
        box.put("hangs", number)
    assert len(box) == outbox.LIMIT
    assert box.dropped == 50
    box.flush()
    assert transport.sent["hangs"] == [50, 51, 52, 53]
    assert "the oldest are dropped" in caplog.text


STEPS = st.lists(st.tuples(st.sampled_from(["put", "flush", "done"]), st.sampled_from("abc")), max_size=200)


@given(STEPS)
def test_whatever_happens_order_window_and_completeness_hold(steps: list[tuple[str, str]]) -> None:
    transport = Transport()
    box = Outbox(transport.transmit, transport.wake)
    put: dict[str, list[int]] = defaultdict(list)

    def check() -> None:
        for address, done in transport.under_way.items():
            assert len(done) <= WINDOW
            assert transport.sent[address] == put[address][: len(transport.sent[address])]

    for step, address in steps:
        if step == "put":
            put[address].append(len(put[address]))
            box.put(address, put[address][-1])
        elif step == "flush":
            box.flush()
        elif transport.under_way[address]:
            transport.under_way[address].pop(0)()
        check()
    box.flush()
    while any(transport.under_way.values()):  # from here on only what the outbox itself asks for makes it flush
        woken = transport.woken
        for done in transport.under_way.values():
            if done:
                done.pop(0)()
        if transport.woken > woken:
            box.flush()
    assert not len(box)
    assert not box._routes
    assert all(transport.sent[address] == messages for address, messages in put.items())
