"""The log of aiohttp's server, made discreet.

For what it can't parse it logs a traceback with the line in question, which may be an `Authorization`
header; and anyone who reaches the port can make it do so.
"""

import logging

from aiohttp.http_exceptions import HttpProcessingError


class Discreet(logging.Filter):
    """Turns the report of a malformed request into a line without its content."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, some of them changed."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg, record.args = "refused a request that is not HTTP: %s", (type(error).__name__,)
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.exc_info = record.exc_text = None
        return True


logger = logging.getLogger("wavigil.http")
logger.addFilter(Discreet())
