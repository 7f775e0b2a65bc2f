"""What happens before anything is forked: directories, the lock, tokens, databases, Node."""

import fcntl
import logging
import os
import secrets
import socket
import stat
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from actors.admission.ledger import boards, ways_path
from actors.connectors.node import NodeNotFound, find_node
from actors.settings import SOCKET_GATEWAY, Settings, settings_from
from actors.store.errors import StoreError
from actors.store.migrate import refuse, upgrade
from actors.store.tables import Kind
from actors.store.watch import free_bytes
from actors.vault import rotation
from actors.vault.errors import MasterKeyError
from actors.vault.keyring import Keyring
from config.loader import Loaded
from config.paths import socket_path
from config.schema_http import Http
from daemon import numbering
from daemon.backup.restore import finish

TOKEN_FILE = "admin.token"  # noqa: S105 - the name of a file
TOKEN_BYTES = 32
START_ROOM = 4 * 1024 * 1024
"""Bytes that must be free to start: what one database may write until it is folded together."""
log = logging.getLogger(__name__)

OWN_PACKAGES = ("config", "actors", "daemon")


class StartError(Exception):
    """The daemon can't start; the sentence says what to do about it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the daemon starts with."""

    settings: Settings
    token_file: Path
    token: str
    lock: int
    """Descriptor of the lock; the actors inherit it on purpose: as long as one lives, no other daemon starts."""
    rotates: bool
    """Whether a rotation of the master key is unfinished."""


def prepare(loaded: Loaded) -> Prepared:
    """Makes ready the state directory.  Raises StartError."""
    check_packages()
    config = loaded.config
    state, runtime = Path(config.state_dir), Path(config.runtime_dir)
    for directory in (state, runtime):
        make_directory(directory)
    _room(state)
    lock = hold(state)
    _listenable(config.http)
    try:
        socket_path(runtime, "shard-9999.connector.sock")
        socket_path(runtime, SOCKET_GATEWAY)
        token_file = state / TOKEN_FILE
        token = _token(token_file)
        if finish(state):
            log.warning("a restore that was interrupted is finished now")
        files = {state / f"{kind}.db": kind for kind in (Kind.API, Kind.VAULT, Kind.HEALTH, Kind.RECOVERY)}
        for path, kind in (files | dict.fromkeys(state.glob("shard-*.db"), Kind.SHARD)).items():
            refuse(path, kind)
        for path, kind in files.items():
            upgrade(path, kind)
        numbering.go_on(state / "api.db", state.glob("shard-*.db"))
        for board in boards(runtime).values():
            ways_path(board).unlink(missing_ok=True)
            board.unlink(missing_ok=True)  # an outage may be over, or this start be what ends it: a newer version
        settings = settings_from(config, _node(loaded))
        # A wrong key is told to whoever starts the daemon, and not by a vault that crashes over and over.
        rotates = rotation.prepare(settings.database(Kind.VAULT), Keyring(settings.vault_keys))
    except (StoreError, MasterKeyError, ValueError) as error:
        raise StartError(str(error)) from None
    except OSError as error:
        raise StartError(f"{error.filename or state} can't be used: {error.strerror}") from None
    return Prepared(settings, token_file, token, lock, rotates)


def check_packages() -> None:
    """The import packages have common names: makes sure that they are this project's.  Raises StartError."""
    home = Path(__file__).resolve().parent.parent
    for name in OWN_PACKAGES:
        found = Path(import_module(name).__file__ or "").resolve()
        if found.parent.parent != home:
            raise StartError(
                f"the package {name!r} comes from {found.parent}, not from wavigil: "
                "install wavigil into a virtual environment of its own"
            )


def make_directory(path: Path) -> None:
    """A directory of the daemon's own, mode 0700.  Raises StartError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise StartError(f"the directory {path} can't be made: {error.strerror}") from None
    if found.st_uid != os.geteuid():
        raise StartError(f"the directory {path} belongs to user {found.st_uid}, wavigil runs as {os.geteuid()}")
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartError(f"the directory {path} can't be written by user {os.geteuid()}")


def _room(state: Path) -> None:
    """A full disk is told before anything is touched: the databases could only refuse what they are given."""
    free = free_bytes(state)
    if free < START_ROOM:
        raise StartError(
            f"the disk of {state} is full: {free} bytes are free, at least {START_ROOM} are needed; make room on it"
        )


def hold(state: Path) -> int:
    """The lock of a state directory: no daemon runs there while its descriptor is open.  Raises StartError."""
    try:
        fd = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:  # left by another user, a read-only file system, ...
        raise StartError(f"{state / 'lock'} can't be opened: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise StartError(f"another wavigil (pid {holder}) uses {state}: stop it, or set another state_dir") from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _listenable(http: Http) -> None:
    """A port in use is told before any database is touched or process made; it may still be taken until it is used."""
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((http.host, http.port))
    except OSError as error:
        raise StartError(f"can't listen on {http.listen}: {error.strerror}; is another daemon running?") from None


def _token(path: Path) -> str:
    """The admin token, made at the first start."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise StartError(
                f"{path} can be read by others: run chmod 600 {path}, or delete it to get a new one"
            ) from None
        token = path.read_text(encoding="ascii").strip()
        if len(token) < TOKEN_BYTES:
            raise StartError(f"{path} holds no token: delete it to get a new one") from None
        return token
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


def _node(loaded: Loaded) -> str | None:
    """Node.js is needed once a session is connected by Baileys; also one that is added later over the API."""
    try:
        return str(find_node().path)
    except NodeNotFound as error:
        wanting = [spec.id for spec in loaded.config.sessions if spec.connector == "baileys"]
        if wanting:
            raise StartError(f"session {wanting[0]!r} needs Node.js: {error}") from None
        return None
