"""The OpenAPI 3.1 document, from the table of routes and the models.  Pure."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from config.ids import SESSION_ID_PATTERN
from daemon.api.fields import COMMAS, MESSAGE_ID_PATTERN, NUMBER_PATTERN
from daemon.api.models import Problem
from daemon.api.problems import CONTENT_TYPE as PROBLEM_TYPE
from daemon.api.problems import Reason
from daemon.api.requests import NoBody, Query
from daemon.api.route import Answer, Route
from daemon.api.routes import ROUTES
from daemon.api.schemas import REF, Plain

JSON = "application/json"

PATH_PARAMETERS = {
    "sessionId": {
        "description": "The session's id.",
        "schema": {"type": "string", "pattern": SESSION_ID_PATTERN},
    },
    "messageId": {
        "description": "The id that the message was sent with.",
        "schema": {"type": "string", "pattern": MESSAGE_ID_PATTERN},
    },
    "episodeId": {"description": "The episode's id.", "schema": {"type": "string", "pattern": NUMBER_PATTERN}},
    "pauseId": {"description": "The pause's id.", "schema": {"type": "string", "pattern": NUMBER_PATTERN}},
}

RESPONSE_HEADERS = {
    "WWW-Authenticate": {
        "description": "The scheme, and what is wrong with the token.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "Location": {"description": "Where to find it.", "schema": {"type": "string"}},
}

RETRIED = frozenset({429, 503, 504, 507})
"""Statuses with a Retry-After header."""

Mode = Literal["validation", "serialization"]
Json = dict[str, Any]
References = Mapping[Any, Json]
"""By model and mode, as pydantic gives them."""


def document(version: str) -> Json:
    """The whole document."""
    references, definitions = _schemas()
    paths: defaultdict[str, Json] = defaultdict(dict)
    for route in ROUTES:
        paths[route.path][route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "wavigil",
            "version": version,
            "description": "Keeps many WhatsApp sessions alive. Errors are problem details (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(paths),
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the configuration, or the one in the state directory's admin.token.",
                }
            },
        },
    }


def _schemas() -> tuple[References, Json]:
    """References to the models that the routes use, and their definitions."""
    wanted: dict[tuple[type[BaseModel], Mode], None] = {(Problem, "serialization"): None}
    for route in ROUTES:
        if route.body is not NoBody:
            wanted[route.body, "validation"] = None
        for answer in route.answers:
            if answer.model is not None:
                wanted[answer.model, "serialization"] = None
    references, schema = models_json_schema(list(wanted), ref_template=REF, schema_generator=Plain)
    return references, dict(sorted(schema["$defs"].items()))


def _operation(route: Route[Any, Any], references: References) -> Json:
    operation: Json = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary,
        "description": _description(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route.query)],
        "responses": {
            **{str(answer.status): _success(answer, references) for answer in route.answers},
            **_problems(route, references[Problem, "serialization"]),
        },
        "security": [{"token": []}] if route.role is not None else [],
    }
    if route.body is not NoBody:
        operation["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": references[route.body, "validation"]}},
        }
    return operation


def _description(route: Route[Any, Any]) -> str:
    role = f"Needs the role {route.role.label}." if route.role is not None else "Needs no token."
    return f"{route.description} {role}".strip()


def _path_parameters(route: Route[Any, Any]) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, **parameter}
        for name, parameter in PATH_PARAMETERS.items()
        if f"{{{name}}}" in route.path
    ]


def _query_parameters(model: type[Query]) -> list[Json]:
    schema = model.model_json_schema(ref_template=REF, schema_generator=Plain)
    commas = {field.alias for field in model.model_fields.values() if COMMAS in field.metadata}
    parameters = []
    for name, definition in schema.get("properties", {}).items():
        shape = _not_null(definition)
        parameter: Json = {"name": name, "in": "query", "required": False}
        parameter["description"] = shape.pop("description", "")
        if shape.get("type") == "array":
            parameter |= {"style": "form", "explode": name not in commas}
        parameters.append({**parameter, "schema": shape})
    return parameters


def _not_null(definition: Json) -> Json:
    """A parameter is absent rather than null."""
    rest = {key: value for key, value in definition.items() if key != "anyOf"}
    for option in definition.get("anyOf", ()):
        if option != {"type": "null"}:
            rest |= option
    if rest.get("default", 0) is None:
        del rest["default"]
    return rest


def _success(answer: Answer, references: References) -> Json:
    content: Json = {}
    if answer.model is not None:
        content[JSON] = {"schema": references[answer.model, "serialization"]}
    for media in answer.media:
        binary = media.startswith("image/")
        content[media] = {"schema": {"contentMediaType": media} if binary else {}}
    response: Json = {"description": answer.description}
    if content:
        response["content"] = content
    if answer.status in {201, 202} and "Location" in answer.description:
        response["headers"] = {"Location": RESPONSE_HEADERS["Location"]}
    return response


def _problems(route: Route[Any, Any], schema: Json) -> Json:
    by_status: defaultdict[int, list[Reason]] = defaultdict(list)
    for reason in (*route.common_problems, *route.problems):
        if reason not in by_status[reason.status]:
            by_status[reason.status].append(reason)
    responses: Json = {}
    for status, reasons in sorted(by_status.items()):
        text = "; ".join(f"`{reason.slug}`: {reason.title}" for reason in reasons)
        response: Json = {"description": text, "content": {PROBLEM_TYPE: {"schema": schema}}}
        if Reason.UNAUTHENTICATED in reasons:
            response["headers"] = {"WWW-Authenticate": RESPONSE_HEADERS["WWW-Authenticate"]}
        if status in RETRIED:
            response["headers"] = {"Retry-After": RESPONSE_HEADERS["Retry-After"]}
        responses[str(status)] = response
    return responses
