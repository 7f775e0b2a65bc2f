"""From the connector's events to the machine's: the protocol says milliseconds, the machine seconds since 1970."""

from actors.connectors import link_events as wire
from actors.connectors.protocol import PROXY, Hello
from actors.session import inputs


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def link_up(hello: Hello, before: int | None = None, replaced: int = 0) -> inputs.LinkUp:
    """The machine's view of the connector's hello.

    ``before``: pid of the process that the last link was to; ``replaced``: what the vault said.
    """
    state = hello.state
    if state is None:
        can_proxy = PROXY in hello.capabilities
        return inputs.LinkUp(adopted=False, phase="idle", paired=False, can_proxy=can_proxy, replaced=replaced)
    return inputs.LinkUp(
        adopted=hello.adopted,
        phase=str(state.phase),
        paired=state.paired,
        me=state.me,
        opened_at=_seconds(state.opened_at),
        qr=state.qr,
        qr_expires_at=_seconds(state.qr_expires_at),
        proxied=state.proxy,
        can_proxy=PROXY in hello.capabilities,
        fresh=before is not None and before != hello.pid,
        replaced=replaced,
    )


def translate(event: wire.LinkEvent) -> inputs.Event | None:  # noqa: C901, PLR0912 - one case an event
    """The machine's event, or None for what concerns the host only."""
    match event:
        case wire.Queued():
            return inputs.Queued(event.position)
        case wire.Connecting():
            return inputs.Connecting()
        case wire.Qr():
            return inputs.Qr(event.qr, _seconds(event.expires_at))
        case wire.Paired():
            return inputs.Paired(event.me)
        case wire.Opened():
            return inputs.Opened(event.me, event.version, event.login_ms)
        case wire.Closed():
            return inputs.Closed(event.code, event.reason, event.message, dict(event.data))
        case wire.Rtt():
            return inputs.Rtt(event.ms)
        case wire.HeartbeatMissed():
            return inputs.HeartbeatMissed()
        case wire.Sent():
            return inputs.Sent(event.message_id)
        case wire.Heard():
            return inputs.Heard()
        case wire.Ack():
            return inputs.Ack(event.message_id, event.error, event.ms)
        case wire.Receipt():
            return inputs.Receipt(event.message_id, event.type)
        case wire.Received():
            return inputs.Received(event.message_id)
        case wire.Undecryptable():
            return inputs.Undecryptable(event.message_id)
        case wire.Timelock():
            return inputs.Timelock(event.active, _seconds(event.until))
        case wire.MessageCap():
            return inputs.MessageCap(event.used, event.total, event.capped, _seconds(event.until))
        case wire.Superseded():
            return inputs.Superseded()
        case _:
            return None
