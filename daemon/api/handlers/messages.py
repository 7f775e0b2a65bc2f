"""Sending texts."""

from actors.store.send_states import ARRIVED
from daemon.api import render, requests
from daemon.api.call import Call, Reply
from daemon.api.fields import parse_message_id
from daemon.api.problems import ProblemError, Reason


async def send(call: Call[requests.NoQuery, requests.MessageCreate]) -> Reply:
    """Send one text; 200 when the server acknowledged it in time, else 202."""
    message = call.body
    sent, new = await call.backend.send(call.session.id, call.who, message.id, message.to, message.text, message.wait)
    headers = {"Location": f"/api/sessions/{sent.session}/messages/{sent.id}"}
    if not new:
        headers["Idempotent-Replayed"] = "true"
    return Reply(render.message(sent), 200 if sent.state in ARRIVED else 202, headers=headers)


async def get(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """The state of one text."""
    session = call.session.id
    try:
        sent = await call.backend.find_send(session, parse_message_id(call.path["messageId"]))
    except ValueError:
        sent = None
    if sent is None:
        raise ProblemError(Reason.UNKNOWN_MESSAGE, "No message of this session has the id in the path.")
    return Reply(render.message(sent))
