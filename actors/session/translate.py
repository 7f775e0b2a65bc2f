"""From the connector's events to the machine's: the protocol says milliseconds, the machine seconds since 1970."""

from actors.connectors import link_events as wire
from actors.connectors.protocol import PROXY, Hello
from actors.connectors.rating import QUALITY, Rating
from actors.session.inputs import connector, host
from actors.session.inputs.event import Event


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _rated(rating: Rating, at: int) -> connector.PlatformQuality:
    return connector.PlatformQuality(rating, at / 1000)


def link_up(hello: Hello, before: int | None = None, replaced: int = 0) -> host.LinkUp:
    """The machine's view of the connector's hello.

    ``before``: pid of the process that the last link was to; ``replaced``: what the vault said.
    """
    state = hello.state
    if state is None:
        can_proxy = PROXY in hello.capabilities
        return host.LinkUp(adopted=False, phase="idle", paired=False, can_proxy=can_proxy, replaced=replaced)
    return host.LinkUp(
        adopted=hello.adopted,
        phase=str(state.phase),
        paired=state.paired,
        me=state.me,
        opened_at=_seconds(state.opened_at),
        qr=state.qr,
        qr_expires_at=_seconds(state.qr_expires_at),
        proxied=state.proxy,
        can_proxy=PROXY in hello.capabilities,
        rates=QUALITY in hello.capabilities,
        rated=None if state.quality is None else _rated(state.quality.rating, state.quality.at),
        fresh=before is not None and before != hello.pid,
        replaced=replaced,
    )


def translate(event: wire.LinkEvent) -> Event | None:  # noqa: C901, PLR0912 - one case an event
    """The machine's event, or None for what concerns the host only."""
    match event:
        case wire.Queued():
            return connector.Queued(event.position)
        case wire.Connecting():
            return connector.Connecting()
        case wire.Qr():
            return connector.Qr(event.qr, _seconds(event.expires_at))
        case wire.Paired():
            return connector.Paired(event.me)
        case wire.Opened():
            return connector.Opened(event.me, event.version, event.login_ms)
        case wire.Closed():
            return connector.Closed(event.code, event.reason, event.message, dict(event.data))
        case wire.Rtt():
            return connector.Rtt(event.ms)
        case wire.HeartbeatMissed():
            return connector.HeartbeatMissed()
        case wire.Sent():
            return connector.Sent(event.message_id)
        case wire.Heard():
            return connector.Heard()
        case wire.Ack():
            return connector.Ack(event.message_id, event.error, event.ms)
        case wire.Receipt():
            return connector.Receipt(event.message_id, event.type)
        case wire.Received():
            return connector.Received(event.message_id)
        case wire.Undecryptable():
            return connector.Undecryptable(event.message_id)
        case wire.Timelock():
            return connector.Timelock(event.active, _seconds(event.until))
        case wire.MessageCap():
            return connector.MessageCap(event.used, event.total, event.capped, _seconds(event.until))
        case wire.Quality():
            return _rated(event.rating, event.at)
        case wire.Superseded():
            return connector.Superseded()
        case _:
            return None
