"""From a route of the table to a handler of aiohttp.

In this order: token, limits, query, body, handler, reply.  Nothing of a body is read before the token is
known and its limits allow it.
"""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

from daemon.api import keys
from daemon.api.audited import audited, caller_of, target_of
from daemon.api.auth import Identity, bearer
from daemon.api.call import ANONYMOUS, B, Call, Q, Reply, forbidden
from daemon.api.limits import LimitReachedError
from daemon.api.parse import parse_body, parse_query
from daemon.api.problems import ProblemError, Reason, from_backend
from daemon.api.requests import NoBody
from daemon.api.route import Route
from daemon.audit.deeds import Deed
from daemon.backend import BackendError

BODY_PATIENCE = 10.0
"""Seconds for a body of at most `http.max_body`; meanwhile it holds one of the token's places."""
CHALLENGE = 'Bearer realm="wavigil"'


def endpoint(route: Route[Q, B]) -> Handler:
    """The handler for aiohttp's router."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if route.role is None:
            return respond(await _run(route, request, ANONYMOUS))
        identity = authenticate(request)
        if identity.role < route.role:
            await _note_refusal(route, request, identity)
            raise forbidden(route.role, "This route")
        try:
            with request.app[keys.CURRENT].limiter.admit(identity.name):
                return respond(await _run(route, request, identity))
        except LimitReachedError as error:
            raise ProblemError(
                Reason.RATE_LIMITED,
                f"The token {identity.name} sent {error.what}.",
                headers={"Retry-After": str(error.retry_after)},
            ) from None

    return handle


def authenticate(request: web.Request) -> Identity:
    """Whose token the request carries.

    Raises:
        ProblemError: none, or one that is not known (RFC 6750, 3).
    """
    value = bearer(request.headers.get("Authorization"))
    if value is None:
        raise ProblemError(
            Reason.UNAUTHENTICATED,
            "The request has no bearer token.",
            headers={"WWW-Authenticate": CHALLENGE},
        )
    identity = request.app[keys.CURRENT].tokens.identify(value)
    if identity is None:
        raise ProblemError(
            Reason.UNAUTHENTICATED,
            "The token is not valid.",
            headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'},
        )
    request[keys.WHO] = identity.name
    return identity


async def _run(route: Route[Q, B], request: web.Request, identity: Identity) -> Reply:
    query = parse_query(route.query, request.query.items())
    call = Call(
        backend=request.app[keys.BACKEND],
        metrics=request.app[keys.EXPORTER],
        configuration=request.app[keys.CONFIGURATION],
        statuses=request.app[keys.STATUSES],
        document=request.app[keys.DOCUMENT],
        identity=identity,
        path=request.match_info,
        query=query,
        body=await _body(route.body, request, route.longest_body),
        headers=request.headers,
    )
    if route.audited is not None:
        return await audited(route.audited, call, request.remote, route.handler)
    try:
        return await route.handler(call)
    except BackendError as error:
        raise from_backend(error) from error


async def _note_refusal(route: Route[Q, B], request: web.Request, identity: Identity) -> None:
    if route.audited is not None:
        backend = request.app[keys.BACKEND]
        caller, target = caller_of(identity, request.remote), target_of(request.match_info, backend)
        await backend.accounts.trail.refused(Deed(caller, route.audited.action, target), Reason.FORBIDDEN.slug)


async def _body(model: type[B], request: web.Request, longest: int) -> B:
    if issubclass(model, NoBody):
        return model()
    if request.content_type != "application/json":
        raise ProblemError(Reason.UNSUPPORTED_MEDIA_TYPE, "This route takes JSON.")
    limit = max(longest, request.app[keys.CURRENT].settings.body_limit)
    limited = request.clone(client_max_size=limit)
    try:
        async with asyncio.timeout(BODY_PATIENCE):
            raw = await limited.read()
    except web.HTTPRequestEntityTooLarge:
        raise ProblemError(Reason.PAYLOAD_TOO_LARGE, f"A body has at most {limit} bytes here.") from None
    except TimeoutError:
        raise ProblemError(Reason.SLOW_BODY, f"The body was not there within {BODY_PATIENCE:g} s.") from None
    return parse_body(model, raw)


def respond(reply: Reply) -> web.Response:
    """A reply as a response of aiohttp."""
    if reply.body is None:
        return web.Response(status=reply.status, headers=reply.headers)
    body = reply.body.model_dump_json().encode() if isinstance(reply.body, BaseModel) else reply.body
    return web.Response(body=body, status=reply.status, headers={**reply.headers, "Content-Type": reply.content_type})
