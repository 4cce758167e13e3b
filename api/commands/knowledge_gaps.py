"""`aspa knowledge gaps`, `usage` and `demoted`: what is missing, and how the entries do in agents' hands."""

from typing import Annotated

import typer

from api.commands import output
from api.commands.knowledge import app
from api.commands.opening import opened
from api.commands.output import AsJson

Days = Annotated[int | None, typer.Option("--days", min=1, help="How far back to look.")]
_SHOWN_WORDINGS = 3


@app.command("gaps")
def gaps_(
    days: Days = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List clusters of questions that nothing answers, the most asked first.

    Questions whose drafts abstained, were rejected or were rewritten, without personal data.
    """
    from api.knowledge_schemas import GapsOut
    from assistant.learning import knowledge_gaps
    from knowledge.gaps import entry_from_gap

    with opened() as runtime, output.progress("Grouping questions"):
        found = knowledge_gaps(runtime, days=days, limit=limit)
    if as_json:
        wire = {"gaps": [{**vars(gap), "proposal": entry_from_gap(gap)} for gap in found]}
        output.document(GapsOut.model_validate(wire).model_dump(mode="json"))
        return
    rows = [
        (
            gap.count,
            "\n".join(gap.questions[:_SHOWN_WORDINGS]),
            ", ".join(f"{language} {count}" for language, count in gap.languages.items()),
            ", ".join(f"{reason} {count}" for reason, count in gap.reasons.items()),
            gap.replies[0].text if gap.replies else None,
        )
        for gap in found
    ]
    output.table(("asked", "question", "languages", "drafts", "what agents replied"), rows, empty="No gaps.")


@app.command("usage")
def usage_(
    often_rejected: Annotated[
        bool, typer.Option("--often-rejected", help="Those rejected three times or more, and half of the time.")
    ] = False,
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """List how often entries were shown to agents, and what agents did with these drafts."""
    from datetime import timedelta

    from assistant.usage import by_entry
    from knowledge.database import utcnow

    since = None if days is None else utcnow() - timedelta(days=days)
    with opened() as runtime, runtime.sessions() as session:
        found = by_entry(session, since=since, only_rejected=often_rejected)
    names = ("shown", "used", "edited", "rejected", "last_used_at")
    rows = [(entry.external_id, entry.question, *(getattr(one, name) for name in names)) for entry, one in found]
    if as_json:
        fields = ("external_id", "question", *names)
        output.document({"usage": [dict(zip(fields, row, strict=True)) for row in rows]})
        return
    output.table(("id", "question", "shown", "used", "edited", "rejected", "last used"), rows, empty="None.")


@app.command("demoted")
def demoted_(as_json: AsJson = False) -> None:
    """List the past replies that a newer FAQ entry contradicts.

    They are found last and never drafted from.
    """
    from api.knowledge_schemas import DemotedOut
    from assistant.demotion import demoted

    with opened() as runtime, runtime.sessions() as session:
        wire = DemotedOut.model_validate({"entries": demoted(session)})
    if as_json:
        output.document(wire.model_dump(mode="json"))
        return
    rows = [(entry.external_id, entry.question, entry.answer, entry.demoted_reason) for entry in wire.entries]
    output.table(("id", "customer", "reply", "why"), rows, empty="None: no past reply contradicts the FAQ.")
