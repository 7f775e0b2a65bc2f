"""Linking a session with a phone, by QR code or by a code to type."""

import io

import segno

from daemon.api import models, render, requests
from daemon.api.accept import quality
from daemon.api.call import Call, Reply
from daemon.api.problems import ProblemError, Reason

PNG = "image/png"
PNG_SCALE = 6
"""Pixels a module: a code of WhatsApp's length is about 400 pixels wide."""

QUIET_ZONE = 4
"""Modules around the code (ISO/IEC 18004)."""


async def show(call: Call[requests.PairingQuery, requests.NoBody]) -> Reply:
    """The QR code of the moment; begins a pairing if need be."""
    accept = call.headers.get("Accept")
    state = await call.backend.pairing(call.session.id, call.who, call.query.wait)
    if state.qr is None and (state.code is None or _prefers_png(accept)):
        raise ProblemError(Reason.TIMEOUT, f"There was no QR code within {call.query.wait:g} s.")
    if _prefers_png(accept) and state.qr is not None:
        return Reply(png(state.qr), content_type=PNG)
    return Reply(render.pairing(state))


def _prefers_png(accept: str | None) -> bool:
    return accept is not None and quality(accept, PNG) > quality(accept, "application/json")


def png(content: str) -> bytes:
    """A QR code as an image.  Pure."""
    buffer = io.BytesIO()
    segno.make_qr(content, error="l").save(buffer, kind="png", scale=PNG_SCALE, border=QUIET_ZONE)
    return buffer.getvalue()


async def code(call: Call[requests.NoQuery, requests.PairingCodeCreate]) -> Reply:
    """A code to type into the phone."""
    state = await call.backend.pairing_code(call.session.id, call.who, call.body.phone)
    if state.code is None:
        raise ProblemError(Reason.TIMEOUT, "There was no pairing code in time.")
    return Reply(models.PairingCode(code=state.code, expires_at=state.expires_at))
