"""What the vault refuses; ``code`` as in the connector protocol.  No sentence holds keys, values or names."""


class VaultError(Exception):
    """A request that could not be carried out."""

    code = "internal"


class BadRequest(VaultError):
    """The request does not follow the protocol."""

    code = "bad_request"


class UnknownCommand(VaultError):
    """The vault does not have this command."""

    code = "unknown_command"


class UnsupportedProtocol(VaultError):
    """The peer speaks another version of the protocol."""

    code = "unsupported_protocol"


class Fenced(VaultError):
    """The generation does not own the session's auth state: a later one took over, or it never claimed."""

    code = "fenced"


class LimitExceeded(VaultError):
    """A key or a value is larger than the vault takes."""

    code = "limit"


class VaultFull(VaultError):
    """The disk is full; nothing was stored, and the same request works once there is room."""

    code = "full"


class Damaged(VaultError):
    """An entry can't be opened: changed from outside, or of another session, name or generation."""


class MasterKeyError(VaultError):
    """The vault can't be opened with the configured key, or without one; the sentence names the remedy."""
