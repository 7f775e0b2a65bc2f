"""For those who run the daemon: supervision, metrics, probes, the API's own description."""

from daemon.api import models, requests
from daemon.api.accept import encoding_accepted
from daemon.api.call import Call, Reply
from daemon.api.problems import ProblemError, Reason
from daemon.metrics.text import CONTENT_TYPE


async def supervision(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """The supervision tree as of now."""
    return Reply(models.Node.model_validate(await call.backend.tree()))


async def metrics(call: Call[requests.AnyQuery, requests.NoBody]) -> Reply:
    """Everything that Prometheus sees."""
    headers = {"Vary": "Accept-Encoding"}
    if encoding_accepted(call.headers.get("Accept-Encoding"), "gzip"):
        return Reply(
            call.metrics.render_gzip(),
            content_type=CONTENT_TYPE,
            headers={**headers, "Content-Encoding": "gzip"},
        )
    return Reply(call.metrics.render(), content_type=CONTENT_TYPE, headers=headers)


async def alive(_call: Call[requests.AnyQuery, requests.NoBody]) -> Reply:
    """The process answers."""
    return Reply(models.Alive())


async def ready(call: Call[requests.AnyQuery, requests.NoBody]) -> Reply:
    """The actor system is up."""
    up, why = call.backend.ready()
    if not up:
        raise ProblemError(Reason.NOT_READY, why)
    return Reply(models.Ready())


async def openapi(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """The description of this API."""
    return Reply(call.document)
