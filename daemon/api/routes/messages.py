"""Sending messages."""

from typing import Any

from daemon.api import models, requests
from daemon.api.auth import Role
from daemon.api.handlers import messages
from daemon.api.problems import Reason
from daemon.api.requests import NoBody, NoQuery
from daemon.api.route import Answer, Route
from daemon.api.routes.common import ACT, SESSION

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "POST",
        f"{SESSION}/messages",
        "sendMessage",
        "messages",
        Role.OPERATOR,
        "Send one text",
        NoQuery,
        requests.MessageCreate,
        (
            Answer(200, "The WhatsApp server acknowledged it", models.Message),
            Answer(202, "It is stored and not acknowledged yet; Location leads to its state", models.Message),
        ),
        (*ACT, Reason.NOT_OPEN, Reason.LIMIT, Reason.STORAGE_FULL),
        messages.send,
        "The same id with the same content answers the present state (header `Idempotent-Replayed: true`) "
        "and sends nothing; "
        "with other content it is 409 `conflict`. Without an id one is made, and a repetition sends again.",
    ),
    Route(
        "GET",
        f"{SESSION}/messages/{{messageId}}",
        "getMessage",
        "messages",
        Role.OPERATOR,
        "The state of a text",
        NoQuery,
        NoBody,
        (Answer(200, "The message", models.Message),),
        (Reason.UNKNOWN_MESSAGE, Reason.UNAVAILABLE, Reason.STORAGE_FULL),
        messages.get,
    ),
)
