"""`aspa knowledge questions`: labelled questions, by which a change is judged."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.commands import output
from api.commands.knowledge import app as knowledge
from api.commands.knowledge import author, short
from api.commands.opening import opened
from api.commands.output import AsJson

questions = typer.Typer(name="questions", no_args_is_help=True, help="Labelled questions, by which a change is judged.")
knowledge.add_typer(questions)


@questions.command("import")
def import_questions(
    file: Annotated[Path, typer.Argument(metavar="QUERIES.jsonl", exists=True, dir_okay=False)], as_json: AsJson = False
) -> None:
    """Add the questions of a file that `evaluate` reads; one that is there gets its new labels."""
    from assistant.errors import Invalid
    from knowledge import labelled
    from knowledge.evaluation import read_queries

    with opened() as runtime, runtime.sessions.begin() as session:
        try:
            count = labelled.add_many(session, read_queries(file), author=author())
        except ValueError as error:
            raise Invalid("questions", str(error)) from None
    if as_json:
        output.document({"questions": count})
    else:
        output.say(f"{count} labelled questions are taken in.")


@questions.command("list")
def list_questions(as_json: AsJson = False) -> None:
    """List the labelled questions."""
    from api.knowledge_documents import labelled_document
    from knowledge import labelled

    with opened() as runtime, runtime.sessions() as session:
        found = labelled.questions(session)
    if as_json:
        output.document([labelled_document(question).model_dump(mode="json") for question in found])
        return
    rows = [(question.id, question.language, short(question.text), ", ".join(question.relevant)) for question in found]
    output.table(
        ("number", "language", "question", "answered by"),
        rows,
        empty="No labelled questions: add some with aspa knowledge questions import.",
    )


@questions.command("add")
def add_question(
    text: Annotated[str, typer.Argument(metavar="QUESTION")],
    relevant: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="The entries that answer it; none: abstain.")
    ] = None,
    language: Annotated[Literal["en", "fi"] | None, typer.Option("--language")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a labelled question."""
    from api.knowledge_documents import labelled_document
    from assistant.errors import Invalid
    from knowledge import labelled

    with opened() as runtime, runtime.sessions.begin() as session:
        try:
            question = labelled.add(session, text, relevant or [], language=language, author=author())
        except ValueError as error:
            raise Invalid("question", str(error)) from None
        found = labelled_document(question).model_dump(mode="json")
    if as_json:
        output.document(found)
    else:
        output.say(f"Question {found['id']} is taken in.")


@questions.command("remove")
def remove_question(number: Annotated[int, typer.Argument(metavar="NUMBER", min=1)], as_json: AsJson = False) -> None:
    """Forget a labelled question."""
    from assistant.errors import NotFound
    from knowledge import labelled

    with opened() as runtime, runtime.sessions.begin() as session:
        question = labelled.get(session, number)
        if question is None:
            raise NotFound(f"There is no question {number}: aspa knowledge questions list shows which there are.")
        labelled.remove(session, question)
    if as_json:
        output.document({"removed": number})
    else:
        output.say(f"Question {number} is forgotten.")


@questions.command("export")
def export_questions(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Where to; - for standard output.")],
    as_json: AsJson = False,
) -> None:
    """Write the labelled questions to a file that `import` and `evaluate` read."""
    import sys

    from knowledge import labelled

    with opened() as runtime, runtime.sessions() as session:
        if str(file) == "-":
            labelled.export(session, sys.stdout)
            return
        with file.open("w", encoding="utf-8") as stream:
            count = labelled.export(session, stream)
    if as_json:
        output.document({"file": str(file), "questions": count})
    else:
        output.say(f"{count} questions are in {file}.")
