"""`aspa draft`: what the assistant would reply, without storing or sending anything."""

from typing import Annotated, Any

import typer

from api.commands import output
from api.commands.opening import opened
from api.commands.output import AsJson


def draft(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What the customer writes.")],
    channel: Annotated[str | None, typer.Option("--channel", help="The channel it came by.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="NAME", help="Who wrote it.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Everybody can read the reply.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draft a reply to a message, with its sources."""
    from assistant.drafting import draft_reply
    from assistant.errors import Invalid
    from assistant.reply import DraftRequest
    from knowledge.database import clean_text

    text = clean_text(message)
    if not text.strip():
        raise Invalid("message", "The message is empty: write what the customer says.")
    with opened() as runtime:
        with output.progress("Loading the models"):
            knowledge_base, language_model = runtime.knowledge_base(), runtime.language_model()
        reply = draft_reply(
            DraftRequest(
                text=text,
                customer_name=clean_text(customer) if customer else None,
                visibility="public" if public else "private",
                channel=channel,
            ),
            knowledge_base=knowledge_base,
            language_model=language_model,
            identifier=runtime.identifier(),
            persona=runtime.persona(),
        )
    document = reply.document()
    if as_json:
        output.document(document)
    else:
        show(document)


def show(document: dict[str, Any]) -> None:
    """Print a draft for a person: its text, what in it nothing supports, and its sources."""
    output.say(document["text"])
    for sentence in document["sentences"]:
        if not sentence["supported"]:
            output.say(f"  ! no source says: {sentence['text']}")
    if document["unsupported_facts"]:
        output.say(f"  ! no source has: {', '.join(document['unsupported_facts'])}")
    for citation in document["citations"]:
        where = f" – {citation['url']}" if citation["url"] else ""
        output.say(f"  [{citation['n']}] {citation['title']} ({citation['external_id']}){where}")
    for entry in document.get("guidance", ()):
        output.say(f"  only for you: {entry['title']}: {entry['excerpt']}")
    confidence = "" if document["confidence"] is None else f", confidence {document['confidence']:.2f}"
    writer = f" ({document['model']})" if document["origin"] == "model" else ""
    output.say(f"  {document['status']}, {document['origin']}{writer}{confidence}")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(draft)
