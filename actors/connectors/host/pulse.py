"""Whether the connector process is well: asked over the host's link."""

import asyncio
import contextlib
import logging

from actors.connectors.host.process import ConnectorProcess
from actors.runtime import liveness
from actors.runtime.liveness import Beats, Silence
from actors.runtime.rpc import Link, LinkClosed, RemoteError

log = logging.getLogger(__name__)

MOST_BEHIND = 10
"""Timeouts for which bytes that were not read may stand for an answer: what a connector may have waiting is read in a
fraction of one, so whoever goes on and on does not send what it should."""


async def watch(link: Link, process: ConnectorProcess, beats: Beats) -> bool:
    """Returns when the link has ended (False), or the process was silent for too long and has to be ended (True).

    Its answer comes behind what it sent before: while this process has not read all of that, it is not silent, for as
    long as that can take.  An answer that comes after its deadline is a sign of life, too.
    """
    now = asyncio.get_running_loop().time
    silence = unanswered = Silence(now())
    ping_at, answers = now(), link.answers
    while not (liveness.hung(silence, beats.timeout) or liveness.hung(unanswered, MOST_BEHIND * beats.timeout)):
        if now() < ping_at:
            await asyncio.sleep(beats.look)
        else:
            with contextlib.suppress(TimeoutError):
                if not await _answers(link, beats.look):
                    return False
                ping_at = now() + beats.period
        if link.answers != answers:
            answers = link.answers
            silence = unanswered = liveness.heard(silence, now())
        unanswered = liveness.look(unanswered, now(), beats)
        silence = liveness.heard(silence, now()) if link.behind() else liveness.look(silence, now(), beats)
    log.error("connector process %d is hung, silent for %g s, and is killed", process.popen.pid, beats.timeout)
    return True


async def _answers(link: Link, deadline: float) -> bool:
    """False once the link has ended; raises TimeoutError.  An answer that is an error is a sign of life as well."""
    try:
        await link.request("ping", deadline=deadline)
    except LinkClosed:
        return False
    except RemoteError:
        return True
    return True
