"""Files into the knowledge: uploaded, previewed by a worker, then applied or given up. And out again.

What a file would change is found in `knowledge.importing`; how far it is stands in the import itself.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.dependencies import CurrentAgent, RuntimeDep, SessionDep
from api.web.knowledge_access import KNOWLEDGE, LARGEST_ID, EntryId, Maintainer, knowledge_page
from api.web.pages import redirect
from assistant import import_jobs
from assistant.errors import ConfirmationRequired, Conflict, Invalid
from assistant.tables import Agent
from knowledge.importers.detection import FORMATS

router = APIRouter(prefix=f"{KNOWLEDGE}/import", include_in_schema=False)

IMPORT = f"{KNOWLEDGE}/import"
_ON_A_PAGE = 20


@router.get("")
def show_imports(
    request: Request,
    session: SessionDep,
    agent: CurrentAgent,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> Response:
    """Show the form for a file, the imports so far, and the ways out."""
    return _page(request, session, agent, before=before)


@router.post("")
def upload(
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    agent: Maintainer,
    file: Annotated[UploadFile, File()],
    kind: Annotated[Literal["", "faq", "past_reply"], Form()] = "",
    file_format: Annotated[str, Form(alias="format", max_length=50)] = "",
    source: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Keep the file and have a worker preview it; nothing is changed yet."""
    if not file.filename:
        return _page(request, session, agent, refused=True)
    kept = import_jobs.keep(runtime.settings, file.file, file.filename)
    try:
        run = import_jobs.start(
            session, kept, author=agent.name, source=source, kind=kind or None, file_format=file_format or None
        )
    except Invalid:
        return _page(request, session, agent, refused=True)
    return redirect(f"{IMPORT}/{run.id}")


@router.get("/{number}")
def show_import(
    request: Request, session: SessionDep, agent: CurrentAgent, number: EntryId, refused: str = ""
) -> Response:
    """Show one import: how far it is, what it would change, what it did. `refused`: why the last click did nothing."""
    return knowledge_page(
        request,
        "import_run.html",
        agent=agent,
        section="import",
        run=import_jobs.get(session, number),
        refused=refused,
        working=import_jobs.WORKING,
        open=import_jobs.OPEN,
        here=f"{IMPORT}/{number}",
    )


@router.post("/{number}/apply")
def apply(
    session: SessionDep,
    agent: Maintainer,
    number: EntryId,
    retire_missing: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
) -> Response:
    """Have the previewed import applied, all of it or nothing, and with `retire_missing` what vanished retired."""
    run = import_jobs.get(session, number)
    try:
        import_jobs.request_apply(session, run, retire_missing=bool(retire_missing), confirmed=bool(confirmed))
    except ConfirmationRequired:
        return redirect(f"{IMPORT}/{number}?refused=recall")
    except Conflict:
        return redirect(f"{IMPORT}/{number}?refused=moved")
    return redirect(f"{IMPORT}/{number}")


@router.post("/{number}/cancel")
def cancel(session: SessionDep, agent: Maintainer, number: EntryId) -> Response:
    """Give the import up; nothing of it stays."""
    try:
        import_jobs.cancel(session, import_jobs.get(session, number))
    except Conflict:
        return redirect(f"{IMPORT}/{number}?refused=moved")
    return redirect(f"{IMPORT}/{number}")


def _page(
    request: Request, session: Session, agent: Agent, *, before: int | None = None, refused: bool = False
) -> Response:
    runs = import_jobs.page(session, before=before, limit=_ON_A_PAGE + 1)
    return knowledge_page(
        request,
        "import.html",
        agent=agent,
        section="import",
        status=422 if refused else 200,
        here=IMPORT,
        runs=runs[:_ON_A_PAGE],
        more=f"{IMPORT}?before={runs[_ON_A_PAGE - 1].id}" if len(runs) > _ON_A_PAGE else None,
        formats=FORMATS,
        refused=refused,
    )
