"""`aspa knowledge evaluate`: how well questions find their entries, in the own knowledge or on public sets."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands import output
from api.commands.knowledge import app as knowledge
from api.commands.opening import opened
from api.commands.output import AsJson

_FIGURES = ("recall@1", "recall@5", "mrr@10", "ndcg@10")


@knowledge.command()
def evaluate(
    file: Annotated[Path | None, typer.Argument(metavar="[QUERIES.jsonl]", exists=True, dir_okay=False)] = None,
    public: Annotated[
        Path | None, typer.Option(metavar="DIR", exists=True, file_okay=False, help="Measure on these public sets.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well labelled questions find their entries.

    With --public, on public sets instead of the own knowledge, beside MiniLM alone, BM25 alone and plain fusion.
    """
    if (file is None) == (public is None):
        raise typer.BadParameter("name a file of labelled questions, or --public and a folder of public sets.")
    if file is not None:
        _own(file, as_json)
    elif public is not None:
        _public(public, as_json)


def _own(file: Path, as_json: bool) -> None:
    from knowledge.evaluation import evaluate as measure
    from knowledge.evaluation import read_queries

    queries = list(read_queries(file))
    with opened() as runtime, output.progress("Searching"):
        figures = measure(runtime.knowledge_base(), queries)
    if as_json:
        output.document(figures)
        return
    groups: dict[str, Any] = {"all": figures} | figures["by_language"]
    names = ("queries", *_FIGURES)
    rows = [(group, *(_figure(found.get(name)) for name in names)) for group, found in groups.items()]
    output.table(("", *names), rows, empty="No queries.")
    output.pairs({f"abstention {name}": _figure(value) for name, value in figures["abstention"].items()})


def _public(folder: Path, as_json: bool) -> None:
    from assistant.settings import get_settings
    from knowledge.comparing import KeptEmbedder, compared
    from knowledge.public_sets import read_public
    from models.embedder import load_embedder

    settings = get_settings()
    kept = settings.data_dir / "evaluation"
    names = {"search": settings.embedding_model, "MiniLM alone": "minilm"}
    embedder, minilm = (KeptEmbedder(load_embedder(name), kept) for name in names.values())
    found: dict[str, dict[str, Any]] = {}
    with output.progress("Measuring") as shown:
        task = shown.add_task("Measuring", total=None)
        for done, corpus in enumerate(read_public(folder), start=1):
            found[corpus.name] = compared(corpus, embedder, minilm)
            shown.update(task, completed=done)
    if as_json:
        output.document(found)
        return
    rows = [
        (name, ranker, *(_figure(figures[key]) for key in _FIGURES), _figure(figures["abstention"]["auroc"]))
        for name, rankers in found.items()
        for ranker, figures in rankers.items()
    ]
    output.table(("set", "ranked by", *_FIGURES, "auroc"), rows, empty="No sets.")


def _figure(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) else value
