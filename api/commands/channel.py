"""`aspa channel`: the ways in and out."""

from typing import Annotated

import typer

from api.commands import output
from api.commands.opening import opened
from api.commands.output import AsJson

app = typer.Typer(name="channel", no_args_is_help=True, help="Where messages come from and replies go to.")


@app.command()
def add(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="The kind: generic.")],
    name: Annotated[str, typer.Option("--name", help="What agents and programs call it, in one word.")],
    url: Annotated[str | None, typer.Option("--url", help="Where approved replies are posted.")] = None,
    secret: Annotated[
        str | None, typer.Option("--secret", help="Signs both ways (whsec_…); one is made where none is given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a channel; prints its webhook address and its secret."""
    from assistant import channels

    given = {"url": url, "secrets": [secret] if secret else None}
    with opened() as runtime, runtime.sessions.begin() as session:
        config = {option: value for option, value in given.items() if value is not None}
        channel = channels.add(session, kind=kind, name=name, config=config)
        base = runtime.settings.public_url.rstrip("/")
    webhook = f"{base}/webhooks/{channel.kind}/{channel.id}"
    shown = {"id": channel.id, "kind": channel.kind, "name": channel.name, "webhook": webhook}
    secrets = channel.config.get("secrets", [])
    if as_json:
        output.document(shown | {"url": channel.config.get("url"), "secret": secrets[0] if secrets else None})
    else:
        output.pairs(shown | {"secret": secrets[0] if secrets else None})


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the channels, without their secrets."""
    from sqlalchemy import select

    from assistant.tables import Channel

    with opened() as runtime, runtime.sessions() as session:
        found = session.scalars(select(Channel).order_by(Channel.id)).all()
    if as_json:
        output.document(
            [
                {
                    "id": channel.id,
                    "kind": channel.kind,
                    "name": channel.name,
                    "url": channel.config.get("url"),
                    "created_at": channel.created_at,
                    "disabled_at": channel.disabled_at,
                }
                for channel in found
            ]
        )
        return
    rows = [(c.id, c.kind, c.name, c.config.get("url"), "off" if c.disabled_at else "on") for c in found]
    output.table(("id", "kind", "name", "url", ""), rows, empty="No channels: add one with aspa channel add.")
