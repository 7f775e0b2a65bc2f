"""QR codes for terminals.  Pure."""

import io

QUIET_ZONE = 2
"""Modules around the code: half of what ISO/IEC 18004 asks for; phones read it well, and more terminals fit it."""

# Light modules are drawn: bright white on black, whatever the colours of the terminal are; phones don't read negatives.
_BEGIN, _END = "\x1b[97;40m", "\x1b[0m"


def draw(content: str, *, colour: bool) -> str:
    """A code as half blocks, two modules a character, with a line end after each line."""
    import segno

    buffer = io.StringIO()
    segno.make_qr(content, error="l").terminal(buffer, border=QUIET_ZONE, compact=True)
    lines = buffer.getvalue().splitlines()
    return "".join(f"{_BEGIN}{line}{_END}\n" if colour else f"{line}\n" for line in lines)


def width(drawing: str) -> int:
    """Columns that a drawing takes."""
    first = drawing.partition("\n")[0]
    return len(first.removeprefix(_BEGIN).removesuffix(_END))
