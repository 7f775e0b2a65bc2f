"""Where lines go, and what is in them: stderr for people and machines, journald's own protocol."""

import array
import fcntl
import io
import json
import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime import journald, logs
from actors.runtime.journald import Journal, encode, stderr_is_journal

PHONES = st.text("0123456789", min_size=8, max_size=15)


def decode(data: bytes) -> dict[str, str]:
    """An entry, read as journald reads it."""
    fields = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", data[:8])
            value, data = data[8 : 8 + length], data[9 + length :]
        fields[name.decode()] = value.decode()
    return fields


class Peer:
    """In journald's place: a datagram socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(10)
        self.sealed = False

    def entry(self) -> dict[str, str]:
        data, rights, *_ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        if rights:
            assert data == b""
            (fd,) = array.array("i", rights[0][2])
            self.sealed = bool(fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE)
            with os.fdopen(fd, "rb") as file:
                file.seek(0)
                data = file.read()
        return decode(data)


@pytest.fixture
def peer(short_tmp: Path) -> Iterator[Peer]:
    found = Peer(short_tmp / "socket")
    yield found
    found.socket.close()


@pytest.fixture
def journal(peer: Peer) -> Iterator[Journal]:
    found = Journal(peer.path)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    yield
    logs.identify("main")


def logger_of(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("wavigil.test")  # noqa: LOG001 - in no tree: others hear nothing of it
    handler.addFilter(logs.Masking())
    logger.addHandler(handler)
    return logger


def text_of(*arguments: object, **options: object) -> str:
    """A line as people read it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(logs.HUMAN))
    logger_of(handler).error(*arguments, **options)  # type: ignore[arg-type]
    return stream.getvalue()


# --- the protocol


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), st.text(st.characters(codec="utf-8"))))
def test_whatever_is_encoded_is_read_again(fields: dict[str, str]) -> None:
    assert decode(encode(fields)) == fields


def test_a_value_that_is_too_long_is_cut_with_a_mark() -> None:
    value = decode(encode({"MESSAGE": "x" * (journald.LONGEST_VALUE + 5)}))["MESSAGE"]
    assert value.endswith("… (5 bytes cut)")
    assert len(value) < journald.LONGEST_VALUE + 50


def test_an_entry_has_fields(peer: Peer, journal: Journal) -> None:
    logger = logger_of(logs.JournalHandler(journal))
    logs.identify("support-1", "support-1")
    logger.warning("%s is %s", "support-1", "blocked")
    entry = peer.entry()
    line = int(entry.pop("CODE_LINE"))
    assert Path(entry.pop("CODE_FILE")) == Path(__file__)
    assert Path(__file__).read_text().splitlines()[line - 1].strip().startswith("logger.warning")
    assert entry == {
        "MESSAGE": "support-1 is blocked",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "wavigil",
        "LOGGER": "wavigil.test",
        "CODE_FUNC": "test_an_entry_has_fields",
        "WAVIGIL_ACTOR": "support-1",
        "WAVIGIL_SESSION": "support-1",
    }


def test_a_traceback_is_in_the_message_and_in_a_field_of_its_own(peer: Peer, journal: Journal) -> None:
    logger = logger_of(logs.JournalHandler(journal))
    try:
        raise ValueError("no session for 15550100189@s.whatsapp.net")
    except ValueError:
        logger.exception("it failed", extra={"session": "alpha"})
    entry = peer.entry()
    assert entry["MESSAGE"] == f"it failed\n{entry['TRACEBACK']}"
    assert entry["TRACEBACK"].startswith("Traceback (most recent call last):\n")
    assert entry["TRACEBACK"].endswith("ValueError: no session for 1555•••89@s.whatsapp.net")
    assert (entry["EXCEPTION"], entry["PRIORITY"]) == ("ValueError", "3")
    assert (entry["WAVIGIL_ACTOR"], entry["WAVIGIL_SESSION"]) == ("main", "alpha")


def test_what_no_datagram_holds_travels_in_a_sealed_file(peer: Peer, journal: Journal) -> None:
    fields = {f"F{number}": "line\n" * 40_000 for number in range(5)}  # 1 MB, more than a send buffer has
    assert journal.send(fields)
    assert peer.entry() == fields
    assert peer.sealed


def test_what_the_journal_does_not_take_goes_to_stderr_and_nothing_blocks(peer: Peer, journal: Journal) -> None:
    read, write = os.pipe()
    handler = logs.JournalHandler(journal, stderr=write)
    handler.setFormatter(logging.Formatter(logs.HUMAN))
    logger = logger_of(handler)
    for number in range(5000):  # nobody reads: the queue of the socket is full long before
        logger.info("line %d", number)
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb"):
        os.set_blocking(read, False)
        assert b"INFO wavigil.test[%d]: line " % os.getpid() in reader.read(65536)
        peer.socket.close()
        peer.path.unlink()
        logger.info("nobody is there")
        assert b"nobody is there" in reader.read(1 << 20)
    logger.info("and no stderr either")


# --- which it is


def test_only_the_very_stream_of_systemd_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as ours, (tmp_path / "b").open("w") as other:
        found = os.fstat(ours.fileno())
        stream = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert stderr_is_journal(stream, ours.fileno())
        assert not stderr_is_journal(stream, other.fileno())
        assert not stderr_is_journal({}, ours.fileno())
        assert not stderr_is_journal({"JOURNAL_STREAM": "nonsense"}, ours.fileno())
    assert not stderr_is_journal(stream, 10_000)


SCRIPT = """
import logging, os, sys
from pathlib import Path
from actors.runtime import journald, logs
logs.Journal.__init__.__defaults__ = (Path(sys.argv[2]),)
if sys.argv[1] == "redirected":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
logs.setup("info", sys.argv[3])
logging.getLogger("x").info("from main")
if os.fork() == 0:
    logs.identify("shard-0")
    logging.getLogger("x").info("from a child")
    os._exit(0)
os.wait()
"""


def in_a_process(peer: Peer, output: Path, *, style: str, redirected: bool = False) -> str:
    """A process whose stderr is, or was, "the journal"; returns what it wrote there."""
    with output.open("w") as stderr:
        found = os.fstat(stderr.fileno())
        subprocess.run(
            [sys.executable, "-c", SCRIPT, "redirected" if redirected else "same", str(peer.path), style],
            check=True,
            stderr=stderr,
            env={**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
        )
    return output.read_text()


def test_under_systemd_entries_go_to_the_journal_also_from_forked_processes(peer: Peer, tmp_path: Path) -> None:
    assert in_a_process(peer, tmp_path / "out", style="auto") == ""
    entries = [peer.entry(), peer.entry()]
    assert [entry["MESSAGE"] for entry in entries] == ["from main", "from a child"]
    assert [entry["WAVIGIL_ACTOR"] for entry in entries] == ["main", "shard-0"]


@pytest.mark.parametrize(("style", "redirected"), [("json", False), ("human", False), ("auto", True)])
def test_elsewhere_they_do_not(peer: Peer, tmp_path: Path, style: str, redirected: bool) -> None:
    written = in_a_process(peer, tmp_path / "out", style=style, redirected=redirected)
    assert written.count("from ") == (0 if redirected else 2)
    if style == "json":
        assert [json.loads(line)["actor"] for line in written.splitlines()] == ["main", "shard-0"]
    peer.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.entry()


# --- what is hidden


@given(PHONES, st.sampled_from(["%s", "%r", "to %s@s.whatsapp.net", "%(jid)s", "%s and %d"]))
def test_no_phone_number_in_any_argument_gets_out(phone: str, template: str) -> None:
    first = f"{phone}@s.whatsapp.net"
    arguments: tuple[object, ...] = ({"jid": first},) if "(jid)" in template else (first,)
    if "%d" in template:
        arguments += (15,)
    for line in (text_of(template, *arguments), text_of(f"already {phone} there"), text_of("%s", ValueError(phone))):
        assert phone not in line


def test_what_the_code_itself_counts_stays() -> None:
    line = text_of(
        "pid %d on port %d, %d bytes in %.1f s since %d", 4_190_001, 65535, 999_999, 1234567.8, 1_795_750_000
    )
    assert "pid 4190001 on port 65535, 999999 bytes in 1234567.8 s since 1795750000" in line


def test_mistakes_in_a_call_are_a_line_too() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert "it can't be written: TypeError" in text_of("%d", "text")
    assert "can't be written" in text_of("%s %s", 1)
    assert "it can't be written: RuntimeError" in text_of("%s", Broken())
    assert "15550100189" not in text_of("%d", 15550100189)
