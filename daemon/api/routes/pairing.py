"""Linking a session with a phone."""

from typing import Any

from daemon.api import models, requests
from daemon.api.audited import Audited
from daemon.api.auth import Role
from daemon.api.handlers import pairing
from daemon.api.problems import Reason
from daemon.api.requests import NoBody, NoQuery
from daemon.api.route import Answer, Route
from daemon.api.routes.common import ACT, SESSION

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        f"{SESSION}/pairing",
        "getPairing",
        "pairing",
        Role.OPERATOR,
        "The QR code to scan",
        requests.PairingQuery,
        NoBody,
        (
            Answer(
                200,
                "The code of the moment; with `Accept: image/png` as an image",
                models.PairingState,
                ("image/png",),
            ),
        ),
        ACT,
        pairing.show,
        "Begins a pairing if need be. WhatsApp replaces the code every 20 to 60 seconds: ask again "
        "when it expires. "
        "409 `conflict` when the session is paired already.",
        audited=Audited("session.pairing"),
    ),
    Route(
        "POST",
        f"{SESSION}/pairing-code",
        "createPairingCode",
        "pairing",
        Role.OPERATOR,
        "A code to type into the phone",
        NoQuery,
        requests.PairingCodeCreate,
        (Answer(200, "The code", models.PairingCode),),
        (*ACT, Reason.NOT_PAIRING),
        pairing.code,
        audited=Audited("session.pairing_code", ("phone",)),
    ),
)
