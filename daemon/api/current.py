"""The part of the API's settings that may change while it serves."""

import time

from daemon.api.auth import TokenBook
from daemon.api.limits import Limiter
from daemon.api.settings import ApiSettings


class Current:
    """What holds now: tokens, their limits, the longest body."""

    def __init__(self, settings: ApiSettings) -> None:
        self.settings = settings
        self.tokens = TokenBook(settings.tokens)
        self.limiter = Limiter(settings.rate, settings.burst, settings.concurrency, time.monotonic)

    def change(self, settings: ApiSettings) -> None:
        """From the next request on; those under way go on, and count."""
        self.settings = settings
        self.tokens = TokenBook(settings.tokens)
        self.limiter.change(settings.rate, settings.burst, settings.concurrency)
