"""Talks to the daemon's API; turns every failure into a sentence that says what to do."""

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from daemon.cli.errors import USAGE, CliError
from daemon.cli.locate import Target

PATIENCE_SECONDS = 75.0
"""For an answer; the API waits at most 60 s on behalf of a caller."""

PAGE = 1000

Query = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A success."""

    status: int
    json: Any
    """None without a body."""


class ApiError(CliError):
    """The daemon refused: an answer with problem details."""

    def __init__(self, message: str, hint: str, http_status: int, reason: str) -> None:
        super().__init__(message, hint)
        self.http_status = http_status
        self.reason = reason
        """The last part of the problem's type, such as `conflict`."""


class Client:
    """One daemon; each request has a connection of its own."""

    def __init__(self, target: Target, patience: float = PATIENCE_SECONDS) -> None:
        self.target = target
        self._patience = patience
        self._parts = urlsplit(target.url)

    def get(self, path: str, **query: str | int | None) -> Any:
        """The JSON that a GET answers."""
        return self.request("GET", path, query=query).json

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON that a POST answers."""
        return self.request("POST", path, body=body).json

    def pages(self, path: str, **query: str | int | None) -> Iterator[Any]:
        """Every session of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=PAGE, cursor=cursor, **query)
            yield from page["sessions"]
            cursor = page["nextCursor"]
            if cursor is None:
                return

    def request(self, method: str, path: str, *, query: Query | None = None, body: Any = None) -> Answer:
        """Send a request.

        Raises:
            ApiError: the daemon refused it.
            CliError: the daemon can't be reached.
        """
        return self._answer(*self._exchange(method, path, query, body))

    def text(self, path: str) -> str:
        """The text that a GET answers, whatever its type.

        Raises:
            CliError: the daemon refused it, or can't be reached.
        """
        status, raw = self._exchange("GET", path, None, None)
        if status >= http.HTTPStatus.BAD_REQUEST:
            self._answer(status, raw)
        return raw.decode(errors="replace")

    def _exchange(self, method: str, path: str, query: Query | None, body: Any) -> tuple[int, bytes]:
        chosen = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{self._parts.path}{path}" + (f"?{urlencode(chosen)}" if chosen else "")
        headers = {"Authorization": f"Bearer {self.target.token}", "Accept": "application/json, text/plain"}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = self._connect()
        try:
            connection.request(method, url, content, headers)
            response = connection.getresponse()
            raw = response.read()
        except ConnectionRefusedError:
            raise CliError(f"no daemon listens at {self.target.url}", f"Start it: {self.target.start}") from None
        except TimeoutError:
            raise CliError(f"the daemon at {self.target.url} did not answer in {self._patience:g} s") from None
        except ssl.SSLError as error:
            hint = "Was its certificate renewed? The daemon shows it after a SIGHUP."
            raise CliError(f"no safe connection to {self.target.url}: {error.reason}", hint) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise CliError(f"the daemon at {self.target.url} can't be reached: {why}") from None
        finally:
            connection.close()
        return response.status, raw

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._patience)
        context = ssl.create_default_context()
        if self.target.certificate is not None:
            # Of the daemon's own configuration: exactly this certificate, whatever name or address it is reached by.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            try:
                context.load_verify_locations(self.target.certificate)
            except OSError as error:
                raise CliError(f"the certificate {self.target.certificate} can't be read: {error.strerror}") from None
        return http.client.HTTPSConnection(host, port, timeout=self._patience, context=context)

    def _answer(self, status: int, raw: bytes) -> Answer:
        try:
            value = json.loads(raw) if raw else None
        except ValueError:
            value = None
            status = status if status >= http.HTTPStatus.BAD_REQUEST else http.HTTPStatus.BAD_GATEWAY
        if status < http.HTTPStatus.BAD_REQUEST:
            return Answer(status, value)
        if not isinstance(value, dict) or "detail" not in value:
            raise CliError(f"what answers at {self.target.url} is not wavigil (HTTP status {status})", "Check --url.")
        raise self._refusal(status, value)

    def _refusal(self, status: int, problem: Mapping[str, Any]) -> ApiError:
        reason = str(problem.get("type", "")).rpartition("/")[2]
        hint = str(problem.get("remedy", ""))
        message = str(problem["detail"])
        if status == http.HTTPStatus.UNAUTHORIZED:
            message = f"the daemon at {self.target.url} does not know the token from {self.target.token_source}"
            hint = "Give another: --token-file or $WAVIGIL_TOKEN."
        wrong = [_wrong(error) for error in problem.get("errors", ())]
        if reason == "configuration":
            message = "\n".join((message, *wrong))
        elif wrong:
            message = "; ".join(wrong)
        error = ApiError(message, hint, status, reason)
        if status == http.HTTPStatus.UNPROCESSABLE_ENTITY:
            error.status = USAGE
        return error


def _wrong(error: Mapping[str, Any]) -> str:
    place = (error.get("pointer") or "").removeprefix("#/") or error.get("parameter")
    return f"{place}: {error['detail']}" if place else str(error["detail"])


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")
