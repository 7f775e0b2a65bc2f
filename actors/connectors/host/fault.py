"""What a connector process can do wrong, as its host sees it.  Pure."""

from enum import StrEnum


class FaultKind(StrEnum):
    """Which promise of `docs/connector-protocol.md` was broken."""

    NOT_STARTED = "not_started"
    """There is no program to start, or it can't be started."""
    DIED_AT_START = "died_at_start"
    """It ended before it was ready."""
    NOT_READY = "not_ready"
    """It printed no ready line in time, or something else, or does not listen where it should."""
    WRONG_VERSION = "wrong_version"
    """It speaks another version of the protocol."""
    WRONG_CONNECTOR = "wrong_connector"
    """It says that it is another connector."""
    MALFORMED = "malformed"
    """Bytes that are no frame, an event or an answer with a wrong field, an answer to what was never asked."""
    FLOOD = "flood"
    """More than the protocol allows: frames a second, or events that are not confirmed yet."""
    NOT_READING = "not_reading"
    """It does not read what it is sent."""
    SILENT = "silent"
    """It answers nothing."""
    REFUSING = "refusing"
    """It refuses a session's ``hello`` for a reason that does not pass by itself."""


OF_ONE_SESSION = frozenset({FaultKind.SILENT, FaultKind.REFUSING})
"""What a session finds and no other one suffers from: the process is not ended for it."""


class ConnectorFault(Exception):
    """A connector process broke the protocol and has to be ended; ``kind`` is stable, ``sentence`` for operators."""

    def __init__(self, kind: FaultKind, sentence: str, process: tuple[int, int] | None = None) -> None:
        super().__init__(f"{kind}: {sentence}")
        self.kind = kind
        self.sentence = sentence
        self.process = process
        """Pid and exit status, as subprocess has it, of a process that has ended for it already."""
