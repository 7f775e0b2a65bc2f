"""How sessions are."""

from collections.abc import Iterable

from daemon.api import models, requests, statuses
from daemon.api.call import Call, Reply
from daemon.api.pages import page_of
from daemon.backend import SessionLive, SessionRecord


async def one(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """The status of one session."""
    record = call.session
    return Reply(call.statuses.of(record, call.backend.live(record.id), call.backend.recovery.pauses_of(record.id)))


async def bulk(call: Call[requests.StatusQuery, requests.NoBody]) -> Reply:
    """A page of statuses."""
    query = call.query
    records, live = call.backend.records(), call.backend.live
    wanted = records if query.ids is None else {id_: records[id_] for id_ in query.ids if id_ in records}
    matching = {
        record.id: (record, state)
        for record, state in ((record, live(record.id)) for record in wanted.values())
        if matches(query, record, state)
    }
    page = page_of(matching, query)
    call.statuses.keep(records)
    pauses = call.backend.recovery.pauses_of
    parts = (call.statuses.of(*matching[session], pauses(session)) for session in page.ids)
    return Reply(statuses.page(parts, page.next_cursor, len(matching)))


def matches(query: requests.StatusQuery, record: SessionRecord, live: SessionLive) -> bool:
    """Whether a session passes the filters, ``ids`` and paging aside.  Pure."""
    return (
        (query.status is None or live.status in query.status)
        and (query.quality is None or live.quality in query.quality)
        and has_labels(record, query.label)
    )


def has_labels(record: SessionRecord, wanted: Iterable[tuple[str, str]]) -> bool:
    """Whether a session has all of these labels.  Pure."""
    return all(record.labels.get(name) == value for name, value in wanted)


async def reconnect(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """Force a reconnection."""
    session = call.session.id
    operation = await call.backend.reconnect(session, call.who)
    return Reply(models.Operation(operation_id=operation, session_id=session), status=202)
