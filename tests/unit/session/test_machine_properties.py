"""What holds for a session whatever happens to it, in whatever order."""

import json
import math
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.recovery.plans import Action, Policy
from actors.session import effects as fx
from actors.session.causes import Cause, State, classify
from actors.session.inputs import clock, connector, host, operators
from actors.session.inputs.event import Event
from actors.session.machine import step
from actors.session.resume import dump, load
from actors.session.state import PURPOSES, Goal, Proxy, Purpose, SessionState
from actors.session.vocabulary import AT_REST

CODES = sorted({code for cause in Cause for code in cause.codes} | {0, 402, 499})
REASONS = [
    "stream_error",
    "login_failure",
    "network",
    "closed_by_us",
    "intentional_logout",
    "http_503",
    "open_deadline",
    "heartbeat",
    "pairing_expired",
    "vault_unavailable",
    "auth_too_large",
]
DATA = [{}, {"conflict": "replaced"}, {"conflict": "device_removed"}, {"expire": "300"}, {"errno": "EPIPE"}]
COMMANDS = [operators.Start, operators.Stop, operators.Reconnect, operators.Logout, operators.PairingRequested]


class SessionMachine(RuleBasedStateMachine):
    """Any event at any time; the checks are those that an operator would want to rely on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1e6
        self.full = SessionState(seed="s")
        self.refs = count()
        self.open_refs: set[str] = set()
        self.connection = False
        """An ``open`` without an end so far."""
        self.dead_auth = False
        """WhatsApp threw the device out, and its auth state is still there."""
        self.timer: int | None = None

    def tell(self, event: Event) -> None:
        before = self.full
        if isinstance(event, connector.Closed):
            self.connection = False
            if classify(event.code, event.reason, event.data).needs_pairing and before.paired:
                self.dead_auth = True
        elif isinstance(event, host.LinkDown | host.ConnectorFaulty):
            self.connection = False
        elif isinstance(event, host.LinkUp):
            self.connection = event.phase != "idle"
            self.dead_auth = self.dead_auth and event.paired and event.replaced <= before.replaced
        elif isinstance(event, connector.Paired | connector.Qr) or (
            isinstance(event, connector.AuthReset) and not event.error
        ):
            self.dead_auth = False
        elif isinstance(event, clock.TimerDue) and event.token == self.timer:
            self.timer = None
        elif isinstance(event, operators.AuthTaken) and event.replaced and before.state is State.STOPPED:
            self.dead_auth = False
        if isinstance(event, operators.Command):
            self.open_refs.add(event.ref)
        self.full, effects = step(before, event, self.now)
        if isinstance(event, connector.Closed):
            assert any(isinstance(e, fx.ReportTransition) for e in effects)
        for effect in effects:
            self.check(effect, before, event)

    def check(self, effect: fx.Effect, before: SessionState, event: Event) -> None:
        renewed = isinstance(event, host.LinkUp) and event.replaced > before.replaced
        match effect:
            case fx.OpenConnection():
                assert not self.connection, "a second connection"
                assert not self.dead_auth, "a login with an auth state that was thrown out"
                assert self.full.link
                proxy = self.full.proxy
                assert proxy is None or (proxy.known and self.full.can_proxy), "past its proxy"
                assert self.full.proxied == (None if proxy is None else proxy.mark)
                if before.state in AT_REST:
                    banned = before.timer is not None and before.timer.purpose is Purpose.BAN
                    wanting = before.verdict and before.verdict.trouble.cause is Cause.PROXY_UNUSABLE
                    assert (
                        isinstance(event, operators.Command)
                        or renewed
                        or (isinstance(event, connector.AuthReset) and before.waiters)
                        or (isinstance(event, clock.TimerDue | host.PauseChanged) and banned)
                        or (isinstance(event, host.LinkUp | host.ProxyChanged) and wanting)
                    ), "opened by itself"
                if self.full.paused_until is not None and self.full.paused_until > self.now:
                    restart = isinstance(event, connector.Closed) and event.code == Cause.RESTART_REQUIRED.codes[0]
                    assert (
                        before.ordered
                        or before.goal is Goal.MOVE
                        or restart
                        or isinstance(event, operators.Command | connector.AuthReset)
                    ), "opened while recovery is paused"
                paired = event.paired if isinstance(event, host.LinkUp) else before.paired
                if not paired:
                    assert self.full.waiters, "a QR that nobody asked for"
                self.connection = True
            case fx.SetTimer(delay_s=delay, token=token):
                assert delay >= 0
                self.timer = token
            case fx.CancelTimer():
                assert self.timer is not None
                self.timer = None
            case fx.AnswerCommand(ref=ref) | fx.RequestPairingCode(ref=ref):
                assert ref in self.open_refs, "answered twice"
                self.open_refs.discard(ref)
            case _:
                pass

    @initialize(enabled=st.sampled_from([True, None]))
    def begin(self, enabled: bool | None) -> None:
        self.tell(host.Resumed(None, enabled))

    @precondition(lambda self: not self.full.link)
    @rule(
        phase=st.sampled_from(["idle", "idle", "idle", "queued", "connecting", "pairing", "open"]),
        paired=st.booleans(),
        astray=st.sampled_from([False, False, True]),
        can=st.sampled_from([True, True, False]),
        fresh=st.booleans(),
        replaced=st.sampled_from([0, 0, 0, 1]),
    )
    def link_up(self, phase: str, paired: bool, astray: bool, can: bool, fresh: bool, replaced: int) -> None:
        # Where an auth state was thrown out it is still there unless we deleted it, or main put another in its place.
        paired = paired or phase == "open" or self.dead_auth
        mark = None if self.full.proxy is None else self.full.proxy.mark
        proxied = mark if phase != "idle" and not astray else None
        qr = "q" if phase == "pairing" else None
        new = fresh and phase == "idle"
        told = host.LinkUp(phase != "idle", phase, paired, qr=qr, proxied=proxied, can_proxy=can, fresh=new)
        self.tell(replace(told, replaced=self.full.replaced + replaced))

    @rule(proxy=st.sampled_from([None, None, Proxy("a", "a.1"), Proxy("a", "a.2"), Proxy("b", known=False)]))
    def the_proxy_is_changed(self, proxy: Proxy | None) -> None:
        self.tell(host.ProxyChanged(proxy))

    @rule(policy=st.sampled_from([Policy(), Policy(base_s=30.0, cap_s=600.0)]))
    def the_policy_is_changed(self, policy: Policy) -> None:
        before = self.full
        self.tell(host.PolicyChanged(policy))
        assert self.full == replace(before, policy=policy), "it is heeded by the next plan, and by nothing else"

    @precondition(lambda self: self.full.link)
    @rule()
    def link_down(self) -> None:
        self.tell(host.LinkDown())

    @precondition(lambda self: self.full.resumed)
    @rule(fault=st.sampled_from(["flood", "died_at_start"]))
    def the_connector_is_faulty(self, fault: str) -> None:
        self.tell(host.ConnectorFaulty(fault, "it did"))

    @precondition(lambda self: self.full.link)
    @rule(
        event=st.sampled_from(
            [
                connector.Queued(1),
                connector.Connecting(),
                connector.Opened("me"),
                connector.Opened("me"),
                connector.Timelock(True),
                connector.Rtt(1.0),
                host.Move(),
            ]
        )
    )
    def news(self, event: Event) -> None:
        self.tell(event)

    @precondition(lambda self: self.full.link and not self.full.paired)
    @rule(event=st.sampled_from([connector.Qr("q", None), connector.Paired("me")]))
    def pairing(self, event: Event) -> None:
        self.tell(event)

    @rule(code=st.sampled_from(CODES), reason=st.sampled_from(REASONS), data=st.sampled_from(DATA))
    def closed(self, code: int, reason: str, data: dict[str, str]) -> None:
        self.tell(connector.Closed(code, reason, "", data))

    @precondition(lambda self: self.full.timer is not None)
    @rule(late=st.floats(0, 4000))
    def time_passes(self, late: float) -> None:
        assert self.full.timer is not None
        self.now += late
        self.tell(clock.TimerDue(self.full.timer.token))

    @rule(seconds=st.sampled_from([None, -1.0, 5.0, 5000.0, math.inf]))
    def pause(self, seconds: float | None) -> None:
        connected = self.full.connected
        self.tell(host.PauseChanged(None if seconds is None else self.now + seconds))
        assert self.full.connected >= connected, "a pause touches no connection"

    @rule(token=st.integers(0, 50))
    def cancelled_timer(self, token: int) -> None:
        if self.full.timer is None or token != self.full.timer.token:
            before = self.full
            self.tell(clock.TimerDue(token))
            assert self.full == before

    @rule(late=st.integers(0, 1), action=st.sampled_from(Action), delay=st.floats(-1, 40))
    def plan(self, late: int, action: Action, delay: float) -> None:
        self.tell(clock.PlanArrived(self.full.asks - late, action, delay))

    @rule(kind=st.sampled_from(COMMANDS))
    def command(
        self,
        kind: type[
            operators.Start | operators.Stop | operators.Reconnect | operators.Logout | operators.PairingRequested
        ],
    ) -> None:
        self.tell(kind(f"r{next(self.refs)}"))

    @rule(cause=st.sampled_from([Cause.DEAF, Cause.OUTBOUND_STUCK]))
    def heal(self, cause: Cause) -> None:
        self.tell(operators.Heal(f"r{next(self.refs)}", cause))

    @rule()
    def pairing_code(self) -> None:
        self.tell(operators.PairingCodeRequested(f"r{next(self.refs)}", "49151"))

    @rule(replaced=st.booleans())
    def auth_taken(self, replaced: bool) -> None:
        self.tell(operators.AuthTaken(f"r{next(self.refs)}", replaced))

    @precondition(lambda self: self.full.resetting)
    @rule(error=st.sampled_from([None, None, "busy"]))
    def auth_reset(self, error: str | None) -> None:
        self.tell(connector.AuthReset(error))

    @precondition(lambda self: self.full.connected)
    @rule(code=st.sampled_from(["busy", "vault_unavailable", "internal"]))
    def open_refused(self, code: str) -> None:
        if code != "busy":
            self.connection = False
        self.tell(connector.OpenRefused(code))

    @rule(enabled=st.sampled_from([True, True, None]), paused=st.booleans())
    def actor_restarts(self, enabled: bool | None, paused: bool) -> None:
        """The actor dies; what was not answered never will be, and the connection ends with the link or is adopted."""
        saved = load(json.loads(json.dumps(dump(self.full.to_save()))))
        assert saved == self.full.to_save()
        self.full = SessionState(seed="s")
        self.timer = None
        self.connection = False
        self.open_refs.clear()
        self.tell(host.Resumed(saved, enabled, self.now + 60.0 if paused else None))

    @invariant()
    def there_is_one_timer_and_it_makes_sense(self) -> None:
        timer = self.full.timer
        assert (timer.token if timer else None) == self.timer
        if timer:
            assert self.full.state in PURPOSES[timer.purpose]

    @invariant()
    def it_never_waits_for_nothing(self) -> None:
        full, timer = self.full, self.full.timer
        match full.state:
            case State.WAITING:
                assert timer or (full.due and not full.link)
            case State.CONNECTING | State.CLOSING:
                assert timer
                assert full.link
            case State.STARTING:
                assert timer or not full.link
            case State.PAIRING:
                assert timer or not (full.connected or (full.link and full.paired))
            case State.BLOCKED | State.HALTED:
                assert full.verdict
                assert (timer is not None) == (full.verdict.until is not None)
            case State.STOPPED:
                assert not timer
            case State.OPEN:
                assert full.connected
                assert not timer
            case State.PARKED:
                pytest.fail("only a supervisor parks")

    @invariant()
    def every_command_is_answered_or_waits_for_something(self) -> None:
        waiting = {w.ref for w in self.full.waiters} | {self.full.logout_ref} - {None}
        assert self.open_refs == waiting

    @invariant()
    def a_qr_is_shown_only_while_pairing(self) -> None:
        assert self.full.qr is None or self.full.state is State.PAIRING


SessionMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSessionMachine = SessionMachine.TestCase
