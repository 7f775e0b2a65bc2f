"""For those who run the daemon: supervision, metrics, probes, the API's own description."""

import time
from dataclasses import asdict
from pathlib import Path

from actors.store.audit_queries import AuditFilter
from actors.store.intervention_queries import HOUR
from daemon.api import models, models_supervision, models_vault, render, requests
from daemon.api.accept import encoding_accepted
from daemon.api.call import Call, Reply
from daemon.api.problems import FieldError, ProblemError, Reason
from daemon.configuration import Reloaded, WrongConfigurationError
from daemon.metrics.text import CONTENT_TYPE


async def supervision(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """The supervision tree as of now."""
    return Reply(models_supervision.Tree.model_validate(await call.backend.tree()))


async def audit(call: Call[requests.AuditQuery, requests.NoBody]) -> Reply:
    """A page of the audit log."""
    query = call.query
    wanted = AuditFilter(query.since, query.until, query.who, query.action, query.target)
    before = None if query.cursor is None else int(query.cursor)
    found = await call.backend.accounts.trail.page(wanted, query.limit + 1, before)
    page = found[: query.limit]
    return Reply(
        models.AuditPage(
            entries=[render.audit_entry(number, entry) for number, entry in page],
            next_cursor=str(page[-1][0]) if len(found) > len(page) else None,
        )
    )


async def interventions(call: Call[requests.InterventionsQuery, requests.NoBody]) -> Reply:
    """Manual against automatic."""
    since = (time.time() - call.query.window) // HOUR * HOUR
    return Reply(render.interventions(since, await call.backend.accounts.interventions(since)))


async def reload(call: Call[requests.ReloadQuery, requests.NoBody]) -> Reply:
    """The configuration file, read again."""
    if call.configuration is None:
        raise ProblemError(Reason.UNAVAILABLE, "This daemon reads no configuration.")
    try:
        done = await call.configuration.reload(call.who, dry_run=call.query.dry_run)
    except WrongConfigurationError as error:
        count = len(error.problems)
        raise ProblemError(
            Reason.CONFIGURATION,
            f"The file has {count} error{'s' if count != 1 else ''}; nothing was changed.",
            errors=[FieldError(str(problem)) for problem in error.problems],
            context={"problems": [asdict(problem) for problem in error.problems]},
        ) from None
    return Reply(_reloaded(done), noted=done.detail())


def _reloaded(done: Reloaded) -> models.Reloaded:
    return models.Reloaded(
        dry_run=done.dry_run,
        source=done.source,
        hash=done.digest,
        added=list(done.added),
        removed=list(done.removed),
        changed=[models.ChangedSession(session_id=id, fields=list(fields)) for id, fields in done.changed.items()],
        unchanged=done.unchanged,
        taken_over=list(done.taken_over),
        given_back=list(done.given_back),
        settings=list(done.settings),
        restart_needed=list(done.restart_needed),
    )


async def backup(call: Call[requests.NoQuery, requests.BackupCreate]) -> Reply:
    """All databases, in a new folder."""
    manifest = await call.backend.accounts.backup(Path(call.body.directory))
    found = [models_vault.BackupFile(name=name, bytes=file.bytes) for name, file in manifest.files.items()]
    body = models_vault.Backup(directory=call.body.directory, made_at=manifest.made_at, files=found)
    return Reply(body, 201, noted={"bytes": sum(file.bytes for file in found)})


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
