"""`aspa agent`: the people who answer."""

import sys
from typing import Annotated

import typer

from api.commands import output
from api.commands.opening import opened
from api.commands.output import AsJson

app = typer.Typer(name="agent", no_args_is_help=True, help="The people who answer customers.")


@app.command()
def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="What the agent signs in with.")],
    name: Annotated[str, typer.Option("--name", help="What customers and colleagues read.")],
    role: Annotated[str, typer.Option("--role", help="agent, maintainer, lead or admin.")] = "agent",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input; else it is asked for.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add an agent, who can then sign in."""
    from assistant import agents

    password = _password(from_stdin=password_stdin)
    with opened() as runtime, runtime.sessions.begin() as session:
        agent = agents.add(session, email=email, name=name, role=role, password=password)
    if as_json:
        output.document({"id": agent.id, "email": agent.email, "name": agent.name, "role": agent.role})
    else:
        output.say(f"{agent.name} can sign in as {agent.email}.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise typer.BadParameter("Give the password on standard input with --password-stdin.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
