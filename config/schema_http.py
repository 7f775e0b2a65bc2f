"""The HTTP part of the configuration: where the API listens, who may use it and how much."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from config import rules
from config.ids import TOKEN_NAME_PATTERN, check_token_name
from config.secrets import Secret, SecretText
from config.section import AbsolutePath, Rule, Section, Sequence, Text, Wrong
from config.sizes import SizeRange

Role = Literal["viewer", "operator", "admin"]
"""Each role may do what the ones before it may."""

Listen = Annotated[
    str, Text(rules.check_listen, "an address and port such as 127.0.0.1:9470, [::1]:9470 or 0.0.0.0:9470")
]


class Token(Section):
    """A bearer token of the API."""

    name: Annotated[str, Text(check_token_name, "a token name such as grafana", pattern=TOKEN_NAME_PATTERN)]
    """Who it stands for in the audit log."""

    role: Role
    """A viewer reads, an operator also acts on sessions, an admin also handles auth states."""

    token: Annotated[Secret, SecretText(16)]
    """The token itself, best as a reference: ${NAME}, file:/path or credential:name."""


class Tls(Section):
    """The server's certificate, both files in PEM."""

    certificate: AbsolutePath
    """The certificate, followed by its intermediate ones."""

    key: AbsolutePath
    """Its private key, without a passphrase."""


def _distinct_tokens(tokens: tuple[Token, ...]) -> Wrong | None:
    return rules.distinct_tokens((token.name, token.token) for token in tokens)


class Http(Section):
    """The API and the metrics."""

    listen: Listen = "127.0.0.1:9470"
    """Address and port. Off loopback it needs `tls` or `insecure: true`."""

    tokens: Sequence[Token] = ()
    """Who may use the API, beside the admin token that the daemon makes in its state directory."""

    tls: Tls | None = None
    """Serves HTTPS instead of HTTP."""

    insecure: bool = False
    """Allows plain HTTP off loopback, for a daemon behind a proxy that does TLS."""

    max_body: Annotated[int, SizeRange("1KiB", "16MiB")] = 64 * 1024
    """The longest body of a request."""

    requests_per_second: Annotated[float, Field(gt=0, le=10_000)] = 50.0
    """Of one token, on average over a second; beyond it 429 with Retry-After."""

    max_concurrent: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Requests of one token at the same time; beyond it 429 with Retry-After."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (
        Rule(("listen", "tls", "insecure"), rules.guarded_listen),
        Rule(("tokens",), _distinct_tokens),
    )

    @property
    def host(self) -> str:
        """The host part of `listen`, without brackets."""
        return rules.split_listen(self.listen)[0]

    @property
    def port(self) -> int:
        """The port part of `listen`; 0 for any free one."""
        return rules.split_listen(self.listen)[1]
