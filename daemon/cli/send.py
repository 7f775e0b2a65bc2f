"""`wavigil send`: one text."""

from typing import Annotated

import typer

from daemon.cli.client import Client, segment
from daemon.cli.errors import CliError
from daemon.cli.options import IdArgument, JsonOption
from daemon.cli.output import write_json

ToArgument = Annotated[
    str,
    typer.Argument(metavar="TO", help="A phone number with country code, or a JID (group@g.us).", show_default=False),
]
TextArgument = Annotated[
    str, typer.Argument(metavar="TEXT", help="What to send, up to 4096 characters.", show_default=False)
]
MessageIdOption = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="Your own id: the same id never sends twice.", show_default=False),
]
WaitOption = Annotated[
    str, typer.Option("--wait", metavar="DURATION", help="How long to wait for the server, 0s to 60s.")
]


def send(
    client: Client,
    session: IdArgument,
    to: ToArgument,
    text: TextArgument,
    message_id: MessageIdOption = None,
    wait: WaitOption = "10s",
    json: JsonOption = False,
) -> None:
    """Send one text and wait until the WhatsApp server has it."""
    body = {"to": to, "text": text, "wait": wait} | ({} if message_id is None else {"id": message_id})
    answer = client.post(f"/api/sessions/{segment(session)}/messages", body)
    if json:
        write_json(answer)
    else:
        typer.echo(f"{answer['id']}: {_sentence(answer['state'])}")
    if answer["state"] == "failed":
        raise CliError(f"the message was not sent: {answer['error'] or 'no reason given'}")


def _sentence(state: str) -> str:
    return {
        "queued": "stored; it is sent as soon as the session is open",
        "sent-unconfirmed": "sent; the server has not acknowledged it yet",
        "failed": "failed",
    }.get(state, f"{state} by the server" if state == "acknowledged" else state)
