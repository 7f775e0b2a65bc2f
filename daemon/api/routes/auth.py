"""Moving auth states in and out."""

from typing import Any

from daemon.api import models_vault, requests
from daemon.api.audited import Audited
from daemon.api.auth import Role
from daemon.api.handlers import auth
from daemon.api.problems import Reason
from daemon.api.requests import NoBody, NoQuery
from daemon.api.route import Answer, Route
from daemon.api.routes.common import SESSION

LONGEST_AUTH = 64 * 1024 * 1024
"""Bytes of an auth state in a body: one that is used for years has tens of thousands of entries."""

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        "/api/vault",
        "getVault",
        "operations",
        Role.VIEWER,
        "How auth states are sealed",
        NoQuery,
        NoBody,
        (Answer(200, "Whether they are, and how far a rotation of the master key is", models_vault.Vault),),
        (Reason.UNAVAILABLE,),
        auth.vault,
    ),
    Route(
        "POST",
        f"{SESSION}/auth/export",
        "exportAuth",
        "sessions",
        Role.ADMIN,
        "Read the auth state",
        NoQuery,
        NoBody,
        (Answer(200, "All of it; whoever has it is the device", models_vault.AuthState),),
        (Reason.CONFLICT, Reason.UNAVAILABLE, Reason.TIMEOUT),
        auth.export,
        "Only of a stopped session on Baileys. It is a copy that moves on no more: once the session was started again, "
        "or the copy was used, the other one is old; two that are used at once throw each other out.",
        audited=Audited("auth.export"),
    ),
    Route(
        "POST",
        f"{SESSION}/auth/import",
        "importAuth",
        "sessions",
        Role.ADMIN,
        "Put an auth state in its place",
        NoQuery,
        requests.AuthImport,
        (Answer(200, "It is in the vault; start the session", models_vault.AuthImported),),
        (Reason.CONFLICT, Reason.UNAVAILABLE, Reason.TIMEOUT, Reason.LIMIT),
        auth.import_,
        "Only of a stopped session on Baileys, all or nothing. 409 `conflict` if the session is paired as another "
        "device, or if any part of what it has is newer.",
        audited=Audited("auth.import"),
        longest_body=LONGEST_AUTH,
    ),
)
