"""Auth states as a whole: out of the vault, and into it."""

from daemon.api import models_vault, requests
from daemon.api.call import Call, Reply


async def vault(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """How auth states are sealed."""
    return Reply(models_vault.Vault.model_validate(await call.backend.auth.vault()))


async def export(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """All keys of a stopped session."""
    session = call.session.id
    entries = await call.backend.auth.export(session)
    body = models_vault.AuthState(session_id=session, entries={key: value.decode() for key, value in entries.items()})
    return Reply(body, noted={"entries": len(entries)})


async def import_(call: Call[requests.NoQuery, requests.AuthImport]) -> Reply:
    """Other keys for a stopped session."""
    session, entries = call.session.id, call.body.entries
    changed = await call.backend.auth.replace(session, {key: text.encode() for key, text in entries.items()})
    body = models_vault.AuthImported(session_id=session, entries=len(entries), changed=changed)
    return Reply(body, noted={"entries": len(entries), "changed": changed})
