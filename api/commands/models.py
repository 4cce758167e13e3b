"""`aspa models`: which language models can be used, and what they need."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands import output
from api.commands.output import AsJson

if TYPE_CHECKING:
    from models.catalog import Description

app = typer.Typer(name="models", no_args_is_help=True, help="The machine-learning models that can be used.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the models that are known by name; any folder or hub name of a causal language model works too."""
    from models.catalog import CATALOG

    found = list(CATALOG.values())
    if as_json:
        output.document([_document(model) for model in found])
        return
    rows = [(m.name, f"{m.parameters:,.0f} million", m.licence, m.languages, m.note) for m in found]
    output.table(("name", "parameters", "licence", "languages", ""), rows, empty="No models are known.")


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME")], as_json: AsJson = False) -> None:
    """Show what a model is and what it needs."""
    from assistant.errors import NotFound
    from models.catalog import describe

    model = describe(name)
    if model is None:
        raise NotFound(f"The catalogue has no {name!r}: aspa models list shows what it has.")
    if as_json:
        output.document(_document(model))
    else:
        output.pairs(_document(model))


def _document(model: "Description") -> dict[str, Any]:
    sizes = ("card", "download_gb", "gpu_memory_gb", "cpu_memory_gb")
    return asdict(model) | {name: getattr(model, name) for name in sizes}
