"""The life cycle of sessions."""

from typing import Any

from daemon.api import models, render, requests
from daemon.api.auth import Role
from daemon.api.call import Call, Reply
from daemon.api.handlers.status import has_labels
from daemon.api.pages import page_of
from daemon.backend import SessionRecord


async def list_(call: Call[requests.SessionsQuery, requests.NoBody]) -> Reply:
    """A page of sessions."""
    records = call.backend.records()
    matching = {id_: record for id_, record in records.items() if has_labels(record, call.query.label)}
    page = page_of(matching, call.query)
    return Reply(
        models.SessionPage(
            sessions=[render.session(matching[id_], call.backend.live(id_)) for id_ in page.ids],
            next_cursor=page.next_cursor,
            total=len(matching),
        )
    )


async def create(call: Call[requests.NoQuery, requests.SessionCreate]) -> Reply:
    """Add a session that the API owns."""
    wanted = call.body
    await call.backend.add(
        SessionRecord(
            id=wanted.id,
            connector=wanted.connector,
            labels=wanted.labels,
            enabled=wanted.enabled,
            origin="api",
            proxy=wanted.proxy,
        ),
        call.who,
    )
    record = call.backend.records()[wanted.id]
    return Reply(
        render.session(record, call.backend.live(record.id)),
        status=201,
        headers={"Location": f"/api/sessions/{record.id}"},
    )


async def get(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """One session."""
    return _session(call)


async def patch(call: Call[requests.NoQuery, requests.SessionPatch]) -> Reply:
    """Change labels, proxy, or whether it is enabled."""
    body = call.body
    proxy = body.proxy or "" if "proxy" in body.model_fields_set else None
    record = await call.backend.change(call.session.id, call.who, labels=body.labels, enabled=body.enabled, proxy=proxy)
    noted = {"proxy": body.proxy} if proxy == "" else {}  # it is none any more
    return Reply(render.session(record, call.backend.live(record.id)), noted=noted)


async def delete(call: Call[requests.DeleteQuery, requests.NoBody]) -> Reply:
    """Remove a session; its auth state stays unless purged."""
    if call.query.purge:
        call.require(Role.ADMIN, "Deleting an auth state")
    await call.backend.remove(call.session.id, call.who, purge=call.query.purge)
    return Reply(status=204)


async def start(call: Call[requests.StartQuery, requests.NoBody]) -> Reply:
    """Start a stopped session."""
    await call.backend.start(call.session.id, call.who, accept_stale=call.query.accept_stale_keys)
    return _session(call, 202)


async def stop(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """Stop a session; it stays stopped over restarts."""
    await call.backend.stop(call.session.id, call.who)
    return _session(call, 202)


async def logout(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """Unlink the device at the server and delete the auth state."""
    await call.backend.logout(call.session.id, call.who)
    return _session(call, 202)


def _session(call: Call[Any, requests.NoBody], status: int = 200) -> Reply:
    record = call.session
    return Reply(render.session(record, call.backend.live(record.id)), status=status)
