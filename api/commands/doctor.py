"""`aspa doctor`: is everything there that a draft needs, and if not, what to do."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import typer

from api.commands import output
from api.commands.output import AsJson

if TYPE_CHECKING:
    from assistant.runtime import Runtime
    from assistant.settings import Settings

_LEAST_FREE = 500 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `advice` says what to do, or just what was found where all is well."""

    part: str
    ok: bool
    advice: str


def doctor(as_json: AsJson = False) -> None:
    """Check that everything is there, and say what to do.

    Looks at settings, database, disk, index, models and channels. Exit status 1 where something is wrong.
    """
    with output.progress("Looking at everything"):
        findings = list(_examine())
    if as_json:
        output.document([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            output.say(f"{'ok  ' if finding.ok else 'BAD '} {finding.part}: {finding.advice}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _examine() -> Iterator[Finding]:
    from api.commands.opening import configure_log
    from assistant.runtime import open_runtime
    from assistant.settings import get_settings

    settings: Settings | None = None

    def read_settings() -> str:
        nonlocal settings
        settings = get_settings()
        configure_log(settings.log_format, 40)
        return f"data is in {settings.data_dir}"

    yield _try("settings", read_settings)
    if settings is None:
        return
    with ExitStack() as stack:
        runtime: Runtime | None = None

        def open_database() -> str:
            nonlocal runtime
            runtime = stack.enter_context(open_runtime(settings))
            return "it answers, and its schema is current"

        yield _try("database", open_database)
        yield _disk(settings)
        if runtime is None:
            return
        for part, check in (
            ("index", _index),
            ("language model", _language_model),
            ("persona", _persona),
            ("channels", _channels),
            ("agents", _agents),
            ("worker", _worker),
        ):
            yield _try(part, partial(check, runtime))


def _try(part: str, check: Callable[[], str]) -> Finding:
    """Run one check; whatever it raises is what the doctor found, and the others still run."""
    from api.commands.failures import sentence

    try:
        return Finding(part, True, check())
    except Exception as error:  # a broken part must not hide the state of the others
        return Finding(part, False, sentence(error) or f"{type(error).__name__}: {error}")


def _disk(settings: "Settings") -> Finding:
    if not settings.data_dir.exists():
        return Finding("disk", True, f"{settings.data_dir} is not made yet")
    free = shutil.disk_usage(settings.data_dir).free
    advice = f"{free / 1024**3:.1f} GiB are free"
    return Finding("disk", free >= _LEAST_FREE, advice if free >= _LEAST_FREE else f"{advice}: free some space")


def _index(runtime: "Runtime") -> str:
    from sqlalchemy import func, select

    from assistant.errors import Unavailable
    from knowledge.index_health import fault
    from knowledge.tables import Entry

    failed = fault(runtime.index_dir)
    if failed is not None:
        raise Unavailable(f"since {failed.at:%Y-%m-%d %H:%M} UTC: {failed.why}")
    if runtime.knowledge_base().damaged:
        raise Unavailable("the newest snapshot is damaged: start a worker or run `aspa knowledge rebuild`")
    with runtime.sessions() as session:
        live = session.scalar(select(func.count()).select_from(Entry).where(Entry.retired_at.is_(None)))
    if not live:
        return "the knowledge is empty: import some with `aspa knowledge import`"
    return f"{live} entries, snapshot {runtime.knowledge_base().snapshot}"


def _language_model(runtime: "Runtime") -> str:
    return f"{runtime.language_model().name} loads"


def _persona(runtime: "Runtime") -> str:
    return f"{runtime.persona().brand} speaks"


def _channels(runtime: "Runtime") -> str:
    from sqlalchemy import select

    from assistant.channels import KINDS
    from assistant.errors import Unavailable
    from assistant.tables import Channel

    with runtime.sessions() as session:
        found = session.scalars(select(Channel).where(Channel.disabled_at.is_(None)).order_by(Channel.id)).all()
    for channel in found:
        if channel.kind not in KINDS:
            raise Unavailable(f"channel {channel.name} is of the kind {channel.kind}, which this version does not know")
    return ", ".join(channel.name for channel in found) or "none yet: add one with `aspa channel add`"


def _agents(runtime: "Runtime") -> str:
    from sqlalchemy import func, select

    from assistant.tables import Agent

    with runtime.sessions() as session:
        count = session.scalar(select(func.count()).select_from(Agent).where(Agent.disabled_at.is_(None)))
    return f"{count} can sign in" if count else "none yet: add one with `aspa agent add`"


def _worker(runtime: "Runtime") -> str:
    from assistant import jobs

    with runtime.sessions() as session:
        alive = jobs.worker_alive(session)
    return "one is at work" if alive else "none is at work now: `aspa serve` or `aspa work` starts one"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(doctor)
