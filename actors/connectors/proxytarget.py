"""The field ``proxy`` of the command ``open`` of the connector protocol."""

import re
from dataclasses import dataclass, field
from typing import Any

from actors.connectors.fields import BadField, Fields
from config.schema_proxies import check_proxy_url

_ID = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class ProxyTarget:
    """Through what a connection is to go, with all that it does."""

    id: str
    """1 to 128 printable ASCII characters without blanks: tells it, with its address, from every other one."""
    url: str = field(repr=False)
    """http, https, socks5 or socks5h, with user and password; never to be logged or told."""

    def to_wire(self) -> dict[str, Any]:
        """The map of the protocol."""
        return {"id": self.id, "url": self.url}

    @classmethod
    def read(cls, fields: Fields) -> "ProxyTarget | None":
        """From an ``open``; None: it has none.  Raises BadField, which repeats nothing of the URL."""
        if "proxy" not in fields:
            return None
        proxy = fields.inner("proxy")
        id, url = proxy.text("id"), proxy.text("url")
        if _ID.fullmatch(id) is None:
            raise BadField(proxy.path("id"), "expected 1 to 128 printable characters")
        try:
            check_proxy_url(url)
        except ValueError as error:
            raise BadField(proxy.path("url"), str(error)) from None
        return cls(id, url)
