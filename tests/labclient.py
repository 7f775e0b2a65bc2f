"""Starts the loopback WhatsApp server of `tests/lab/` and drives it over its control port.

The verbs, fault kinds, policies and journal kinds are those of `tests/lab/README.md`; nothing is renamed here.

    async with Lab() as lab:
        await lab.scan(qr, "15550001")
        login = await lab.wait_for("login", account="15550001")
        await lab.fault("stream_error", target="15550001", code=515)
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias

import aiohttp

from actors.connectors.node import find_node

ROOT: Final = Path(__file__).parent / "lab"
"""The server's folder, in which `npm ci` has been run."""

Json: TypeAlias = dict[str, Any]
"""A JSON object, as the control port speaks."""

_READY_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 5.0
# More than the server ever waits (`wait` of /journal), so that the server decides.
_CALL_TIMEOUT_S: Final = 40.0
_LONGEST_WAIT_S: Final = 30.0
_STDERR_KEPT: Final = 4000


class LabError(Exception):
    """The lab could not start, or refused a verb; the message is the server's own where it gave one."""


@dataclass(frozen=True, slots=True)
class LabMessage:
    """A message stanza that a client sent; a repeat is a record of its own."""

    seq: int
    """Order in which the server read it, from 1 on."""
    t: int
    """When, in milliseconds since the epoch."""
    account: str
    """Phone number of the sender."""
    device: int
    id: str
    to: str
    """JID that it was sent to."""
    retry: int
    """Which resend this is; 0 for the message itself."""
    acked: bool
    error: str | None
    """Code of the negative acknowledgement that the server answered with."""
    text: str | None
    """What the recipient's phone read, under policy `decrypt`; begins with "!" if it could not."""
    recipients: tuple[str, ...]
    """Devices that it was encrypted for, as `phone:device`; device 0 is the phone."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Something that happened: `kind` and what belongs to it."""

    seq: int
    t: int
    """When, in milliseconds since the epoch."""
    kind: str
    data: Json
    """The other fields; most kinds have `conn`, `account` and `device`."""

    def matches(self, wanted: Mapping[str, object]) -> bool:
        """Whether `data` has all of the wanted values."""
        return all(self.data.get(name) == value for name, value in wanted.items())


class Lab:
    """One lab server as a child process on free loopback ports; use it as an async context manager.

    Attributes:
        ws_url: What a client connects to (`websocket_url` of the Baileys connector).
        control_url: Address of the control port.
        root_key: Public key of the certificate root, hex (`noise_root_key`).
        pid: Process id of the server.
    """

    def __init__(
        self,
        *,
        node: Path | None = None,
        defaults: Mapping[str, object] | None = None,
        auto_accept: bool = True,
        port: int = 0,
        root_file: Path | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            node: Node.js to run it with, version 20 or newer; found as the bridge's is if None.
            defaults: Policies for everybody from the start.
            auto_accept: Let a device log in that the server does not know, if it does not know the account either.
            port: Of the WebSocket; 0 takes a free one. With `root_file`, lets a second lab take a first one's place.
            root_file: Keeps the certificate root, so that clients need not learn a new one after a restart.
        """
        self._node = node
        self._options = [f"--defaults={json.dumps(dict(defaults or {}))}", f"--port={port}", "--exit-with-stdin"]
        if not auto_accept:
            self._options.append("--no-auto-accept")
        if root_file is not None:
            self._options.append(f"--root={root_file}")
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        self._stderr: asyncio.Task[bytes] | None = None
        self.ws_url = ""
        self.control_url = ""
        self.root_key = ""
        self.pid = 0

    async def __aenter__(self) -> Self:
        """Start the server."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the server."""
        await self.stop()

    # ---- life cycle

    async def start(self) -> None:
        """Start the server and wait until it is ready.

        Raises:
            LabError: Its packages are missing, or it ended or stayed silent instead of getting ready.
            NodeNotFound: There is no Node.js of version 20 or newer.
        """
        if not (ROOT / "node_modules" / "@whiskeysockets").is_dir():
            raise LabError(f"the packages of {ROOT.name} are not installed: run `make test-setup`")
        node = self._node or (await asyncio.to_thread(find_node)).path
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            node, ROOT / "server.mjs", *self._options, stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            await self._get_ready(self._process)
        except BaseException:
            await self.stop()
            raise

    async def _get_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._stderr = asyncio.create_task(process.stderr.read())
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                line = await process.stdout.readline()
        except TimeoutError:
            raise LabError(f"the lab was not ready within {_READY_TIMEOUT_S:.0f} s") from None
        if not line:
            said = (await self._stderr)[-_STDERR_KEPT:].decode(errors="replace")
            raise LabError(f"the lab ended instead of getting ready: {said}")
        ready = json.loads(line)
        self.ws_url, self.control_url, self.root_key = ready["ws"], ready["control"], ready["rootKey"]
        self.pid = ready["pid"]
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_CALL_TIMEOUT_S))

    async def stop(self) -> None:
        """End the server: it goes with its stdin, and is killed by pid if it does not go within 5 s. Idempotent."""
        process, self._process = self._process, None
        http, self._http = self._http, None
        stderr, self._stderr = self._stderr, None
        try:
            if http is not None:
                await http.close()
        finally:
            if process is not None:
                await _end(process)
            if stderr is not None:
                await stderr

    # ---- playing the phone

    async def scan(self, qr: str, phone: str) -> str:
        """Pair the client that shows `qr` with the account of `phone`; returns the JID it will have."""
        return str((await self._post("/scan", qr=qr, phone=phone))["jid"])

    async def enter_code(self, phone: str, code: str) -> None:
        """Type the pairing code that a client asked for."""
        await self._post("/enter-code", phone=phone, code=code)

    async def deliver(
        self, to: str, sender: str, text: str, *, message_id: str | None = None, placeholder: bool = False
    ) -> str:
        """Have the phone `sender` write `text` to the devices of `to`; returns the message id.

        With `placeholder` they get it without content, and have to ask the phone of `to` for it.
        """
        extra: Json = (
            {"placeholder": placeholder} if message_id is None else {"placeholder": placeholder, "id": message_id}
        )
        return str((await self._post("/deliver", to=to, **{"from": sender}, text=text, **extra))["id"])

    async def unlink(self, phone: str, device: int) -> None:
        """Remove a linked device, as the account's owner does on the phone: 401 now and at each login."""
        await self._post("/unlink", phone=phone, device=device)

    async def creds(self, phone: str, device: int | None = None) -> Json:
        """Auth credentials as after a finished pairing, in Baileys' BufferJSON form."""
        extra = {} if device is None else {"device": device}
        return await self._post("/creds", phone=phone, **extra)

    # ---- trouble

    async def fault(self, kind: str, *, target: str = "*", **parameters: object) -> list[str]:
        """Do a fault now; returns the names of the connections that were hit."""
        return list((await self._post("/fault", kind=kind, target=target, **parameters))["hit"])

    async def fault_at(self, kind: str, *, target: str = "*", **parameters: object) -> float:
        """The same; returns when it was done, by the lab's clock, in seconds since 1970."""
        return float((await self._post("/fault", kind=kind, target=target, **parameters))["at"]) / 1000

    async def account(
        self,
        phone: str,
        *,
        login_failure: Mapping[str, object] | Literal["none"] | None = None,
        policy: Mapping[str, object] | None = None,
    ) -> Json:
        """Set what happens to one account's logins, and its policies.

        Args:
            phone: The account.
            login_failure: `{"reason": 402, "attrs": {...}, "times": 3}`; "none" lets it log in again; None: unchanged.
            policy: Policies to change.
        """
        body: Json = {"phone": phone, "policy": dict(policy or {})}
        if login_failure is not None:
            body["loginFailure"] = None if login_failure == "none" else dict(login_failure)
        return await self._post("/account", **body)

    async def defaults(self, **policy: object) -> Json:
        """Change policies for everybody; returns all of them."""
        return await self._post("/defaults", **policy)

    async def connect_rules(self, *rules: Mapping[str, object]) -> None:
        """Replace what happens to the next connection attempts; without rules they are accepted."""
        await self._post("/connect-rules", rules=[dict(rule) for rule in rules])

    async def listen(self, *, on: bool, kill: bool = False) -> None:
        """Stop listening (connection refused), or listen again; `kill` resets the open connections as well."""
        await self._post("/listen", on=on, kill=kill)

    async def reset(self, *, forget: bool = False) -> None:
        """Reset every connection and drop rules, policies and messages; `forget` drops the accounts as well."""
        await self._post("/reset", forget=forget)

    # ---- looking

    async def state(self) -> Json:
        """Connections, accounts with their devices, counts."""
        answer = await self._call("GET", "/state")
        assert isinstance(answer, dict)
        return answer

    async def messages(self, since: int = 0) -> list[LabMessage]:
        """Messages that clients sent, with a `seq` greater than `since`."""
        return [_message(record) for record in await self._call("GET", "/messages", {"since": str(since)})]

    async def journal(self, *kinds: str, after: float = 0, since: int = 0, wait_s: float = 0.0) -> list[JournalEntry]:
        """What happened, oldest first.

        Args:
            kinds: Only these; all if none is given.
            after: Only later than this, in milliseconds since the epoch.
            since: Only with a greater `seq`.
            wait_s: If there is nothing, wait up to so many seconds (30 at most) for the first entry.
        """
        query = {"after": str(after), "since": str(since), "wait": str(int(wait_s * 1000))}
        if kinds:
            query["kind"] = ",".join(kinds)
        return [_entry(record) for record in await self._call("GET", "/journal", query)]

    async def wait_for(self, kind: str, *, since: int = 0, timeout_s: float = 10.0, **wanted: object) -> JournalEntry:
        """The first journal entry of a kind, past or future, whose fields have the wanted values.

        Raises:
            TimeoutError: None came in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        seen = since
        while True:
            left = deadline - loop.time()
            entries = await self.journal(kind, since=seen, wait_s=min(max(left, 0.0), _LONGEST_WAIT_S))
            for entry in entries:
                if entry.matches(wanted):
                    return entry
                seen = entry.seq
            if left <= 0:
                raise TimeoutError(f"the lab journaled no {kind} with {wanted} within {timeout_s:g} s")

    # ---- transport

    async def _post(self, path: str, **body: object) -> Json:
        answer = await self._call("POST", path, body=body)
        assert isinstance(answer, dict)
        return answer

    async def _call(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, object] | None = None
    ) -> Any:
        if self._http is None:
            raise LabError("the lab is not running")
        async with self._http.request(method, self.control_url + path, params=query, json=body) as response:
            answer = await response.json()
        if response.status != 200:
            raise LabError(f"{method} {path}: {answer['error']}")
        return answer


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
    finally:  # also when this task is cancelled while it waits
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


_MESSAGE_FIELDS: Final[Sequence[str]] = [field.name for field in fields(LabMessage)]


def _message(record: Json) -> LabMessage:
    known = {name: record[name] for name in _MESSAGE_FIELDS}
    return LabMessage(**{**known, "recipients": tuple(record["recipients"])})


def _entry(record: Json) -> JournalEntry:
    rest = {name: value for name, value in record.items() if name not in {"seq", "t", "kind"}}
    return JournalEntry(record["seq"], record["t"], record["kind"], rest)
