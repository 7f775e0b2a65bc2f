"""What happens to every request, whatever its route.

It gets an id, a log line, metrics, problem details, a check of its Host header, and security headers.
"""

import logging
import re
import secrets
import time
from dataclasses import asdict
from http import HTTPStatus
from types import MappingProxyType

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from actors.masking import mask_text
from daemon.api import keys
from daemon.api.guard import host_allowed
from daemon.api.models import Problem
from daemon.api.problems import CONTENT_TYPE, ProblemError, Reason

logger = logging.getLogger("wavigil.api")

UNMATCHED = "unmatched"
"""Label of requests that no route took: paths are without number."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

SECURITY_HEADERS = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Server": "wavigil",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_LETTERS = "bcdfghjkmnpqrstvwxz"
"""For request ids: without digits they are never masked as phone numbers."""

_BY_STATUS = {
    HTTPStatus.NOT_FOUND: Reason.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: Reason.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Reason.PAYLOAD_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Reason.UNSUPPORTED_MEDIA_TYPE,
}


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, time it, count it, and log it masked."""
    began = time.perf_counter()
    offered = request.headers.get("X-Request-Id", "")
    request[keys.REQUEST_ID] = offered if _REQUEST_ID.fullmatch(offered) else new_request_id()
    response = await handler(request)
    seconds = time.perf_counter() - began
    method = request.method if request.method in METHODS else "other"
    resource = request.match_info.route.resource
    route = UNMATCHED if resource is None else resource.canonical
    request.app[keys.EXPORTER].requests.observe(route, method, response.status, seconds)
    # The query is left out: labels and cursors are no one's business, and the path says enough.
    logger.info(
        "%s %s %d %.1f ms, %s, %s",
        method,
        mask_text(request.path),
        response.status,
        seconds * 1000,
        request.get(keys.WHO, "-"),
        mask_text(request[keys.REQUEST_ID]),
    )
    return response


def new_request_id() -> str:
    """16 letters: unique enough to find a line in a log."""
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure with problem details."""
    try:
        return await handler(request)
    except ProblemError as error:
        return problem_response(request, error)
    except web.HTTPException as error:
        return problem_response(request, _from_http(error))
    except Exception:
        # The edge of the process: the caller gets an id, the log gets the cause, and the daemon lives on.
        logger.exception("request %s failed", mask_text(request[keys.REQUEST_ID]))
        return problem_response(request, ProblemError(Reason.INTERNAL, "The daemon could not answer."))


def _from_http(error: web.HTTPException) -> ProblemError:
    reason = _BY_STATUS.get(HTTPStatus(error.status), Reason.MALFORMED)
    details = {
        Reason.NOT_FOUND: "No route has this path.",
        Reason.METHOD_NOT_ALLOWED: "This route has other methods.",
    }
    headers = {"Allow": error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
    return ProblemError(reason, details.get(reason, error.reason), headers=headers)


def problem_response(request: web.Request, error: ProblemError) -> web.Response:
    """Problem details as a response."""
    problem = Problem(
        type=error.reason.uri,
        title=error.reason.title,
        status=error.reason.status,
        detail=error.detail,
        instance=request.path,
        remedy=error.remedy,
        request_id=request[keys.REQUEST_ID],
        errors=[asdict(item) for item in error.errors],
        context=error.context,
    )
    return web.Response(
        body=problem.model_dump_json().encode(),
        status=error.reason.status,
        headers={**error.headers, hdrs.CONTENT_TYPE: CONTENT_TYPE},
    )


@web.middleware
async def guard_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that were meant for another host."""
    settings = request.app[keys.CURRENT].settings
    if not host_allowed(request.headers.get(hdrs.HOST), settings.host, settings.hosts):
        raise ProblemError(Reason.MISDIRECTED, "This daemon is not known by the name in the Host header.")
    return await handler(request)


async def secure(request: web.Request, response: web.StreamResponse) -> None:
    """Signal before a response's headers are sent: security headers and the request's id."""
    response.headers.update(SECURITY_HEADERS)
    if keys.REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[keys.REQUEST_ID]
