"""The `aspa` command: its nouns, and how it fails.

Exit status: 0 done, 1 failed, 2 wrong use. An error is one sentence on standard error, never a traceback (`--debug`
shows that).
"""

import os
from importlib.metadata import version as installed_version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from api.commands import (
    agent,
    channel,
    doctor,
    draft,
    knowledge,
    knowledge_evaluate,  # noqa: F401
    knowledge_gaps,  # noqa: F401 (adds its commands to the group)
    knowledge_import,  # noqa: F401
    knowledge_questions,  # noqa: F401
    knowledge_upkeep,  # noqa: F401
    models,
    redact,
    serving,
    token,
)
from api.commands.output import note

_state = {"debug": False}


class Plainly(TyperGroup):
    """A group of commands whose errors end as one sentence and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a person is told what went wrong, a programmer asks for the traceback."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):  # a closed pipe (| head) is typer's to end quietly
            raise
        except Exception as error:  # the edge to a person: whatever went wrong must end as a sentence
            if _state["debug"] or hasattr(error, "exit_code"):
                raise
            from api.commands.failures import sentence

            known = sentence(error)
            note(f"Error: {known or f'{type(error).__name__}: {error}. Run aspa --debug … to see where.'}")
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=Plainly,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Draft replies to customers' messages from your own knowledge, on your own machine, for a human to approve.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"aspa {installed_version('nettiaspa')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    _state["debug"] = debug


serving.register(app)
draft.register(app)
redact.register(app)
doctor.register(app)
for noun in (knowledge, models, agent, channel, token):
    app.add_typer(noun.app)


def main() -> None:
    """Run `aspa`."""
    # Threads that wait for each other must sleep, not spin: on two cores that something else was using, a draft of 60
    # tokens took 45 s spinning and 9 s sleeping. It has to be said before a library with OpenMP is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()


if __name__ == "__main__":
    main()
