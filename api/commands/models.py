"""`aspa models`: which language models can be used, and what they need."""

from dataclasses import asdict
from typing import Annotated

import typer

from api.commands import output
from api.commands.output import AsJson

app = typer.Typer(name="models", no_args_is_help=True, help="The machine-learning models that can be used.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the models that are known by name; any folder or hub name of a causal language model works too."""
    from models import catalog

    found = catalog.known()
    if as_json:
        output.document([asdict(model) for model in found])
        return
    rows = [(model.name, model.size, ", ".join(model.languages), model.licence) for model in found]
    output.table(("name", "size", "languages", "licence"), rows, empty="No models are known.")


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME")], as_json: AsJson = False) -> None:
    """Show what a model is and what it needs."""
    from models import catalog

    model = asdict(catalog.find(name))
    if as_json:
        output.document(model)
    else:
        output.pairs(model)
