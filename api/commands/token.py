"""`aspa token`: keys for programs."""

from typing import Annotated

import typer

from api.commands import output
from api.commands.opening import opened
from api.commands.output import AsJson

app = typer.Typer(name="token", no_args_is_help=True, help="Keys for programs that use the HTTP API.")


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="Who uses it.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="What it may do; may be repeated. Default: all but approving.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="EMAIL", help="The agent it acts as; approving needs one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    from assistant import agents, tokens

    with opened() as runtime, runtime.sessions.begin() as session:
        owner = agents.find(session, agent) if agent else None
        token, secret = tokens.create(session, name=name, scopes=scope or None, agent=owner)
    if as_json:
        output.document({"token": secret, "id": token.id, "name": token.name, "scopes": token.scopes, "agent": agent})
    else:
        output.say(secret)
        output.note("Keep it now, it is not shown again. It may: " + ", ".join(token.scopes))
