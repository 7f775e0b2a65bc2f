"""Paths and problems that several routes share."""

from daemon.api.problems import Reason

STATUS = "/api/whatsapp-status"
SESSIONS = "/api/sessions"
SESSION = f"{SESSIONS}/{{sessionId}}"

CHANGE = (Reason.CONFLICT, Reason.FILE_OWNED, Reason.UNAVAILABLE, Reason.TIMEOUT)
ACT = (Reason.CONFLICT, Reason.REFUSED, Reason.UNAVAILABLE, Reason.TIMEOUT)
