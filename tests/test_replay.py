"""Customers' own questions judge a change; and after each change the worker finds what contradicts it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from assistant import conversations, queue, replay
from assistant.errors import ConfirmationRequired
from assistant.runtime import Runtime
from knowledge import entries, labelled, upkeep
from knowledge.changes import Change
from knowledge.entries import EntryContent
from knowledge.tables import Entry
from tests.stages import QUESTION, a_channel, a_message, opened, wait_for, with_knowledge
from tests.test_jobs import working


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with opened(database_url, tmp_path, debounce_seconds=3600.0, debounce_limit_seconds=7200.0) as runtime:
        with_knowledge(runtime)
        yield runtime


def retiring(runtime: Runtime) -> list[Change]:
    with runtime.sessions() as session:
        return [Change(None, session.scalars(select(Entry.id)).one())]


def test_it_works(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        channel = a_channel(session)
        for text in ("Oldest?", QUESTION, QUESTION, "Newest?"):
            conversations.receive(session, channel, a_message(text))
        assert replay.recent_questions(session, 2) == ["Newest?", QUESTION]
        assert replay.recent_questions(session, 0) == []
    with runtime.sessions() as session:
        preview = replay.preview(runtime, session, retiring(runtime))
    assert [(answer.change, answer.question) for answer in preview.answers] == [("lost", QUESTION)]
    assert (preview.asked, preview.recall_before, preview.floor) == (3, None, runtime.settings.recall_floor)


def test_a_loss_has_to_be_confirmed(runtime: Runtime) -> None:
    change = retiring(runtime)
    with runtime.sessions.begin() as session:
        replay.ensure_recall(runtime, session, change, confirmed=False)
        labelled.add(session, "Do you sell horses?", [], author="anna")
        replay.ensure_recall(runtime, session, change, confirmed=False)
        assert runtime.knowledge_base.made is None
        labelled.add(session, QUESTION, ["hours"], author="anna")
        replay.ensure_recall(runtime, session, change, confirmed=True)
        with pytest.raises(ConfirmationRequired, match="100% find their entry now and 0% would") as caught:
            replay.ensure_recall(runtime, session, change, confirmed=False)
    assert caught.value.details == {
        "code": "confirmation_required", "recall_before": 1.0, "recall_after": 0.0, "floor": 0.8,
    }  # fmt: skip


def test_the_worker_finds_contradictions_and_demotes_replies(runtime: Runtime) -> None:
    reply = EntryContent(
        kind="past_reply", external_id="reply", question="Hi there", language="en",
        answer="Our shop is open from 10 to 17 every day.", sent_at=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    hours = EntryContent(
        kind="faq",
        external_id="hours",
        question="When is your shop open?",
        answer="Our shop is open from 9 to 17 every day.",
        language="en",
    )
    again = hours.model_copy(update={"external_id": "again", "answer": "Our shop is open from 11 to 17 every day."})
    with runtime.sessions.begin() as session:
        entries.put_many(session, [hours, again, reply], author="anna")
        queue.defer_index_knowledge(session)
    with working(runtime):
        wait_for(runtime, lambda session: len(upkeep.findings(session)) >= 2, seconds=120)
        wait_for(
            runtime, lambda session: session.scalar(select(Entry.demoted_reason).where(Entry.kind == "past_reply"))
        )
        with runtime.sessions.begin() as session:
            for name in ("hours", "again"):
                entries.put(session, EntryContent.model_validate(
                    hours.model_dump() | {"external_id": name, "answer": "Our shop is open from 10 to 17 every day."}
                ), author="anna")  # fmt: skip
            queue.defer_index_knowledge(session)
        wait_for(runtime, lambda session: {p.finding.kind for p in upkeep.findings(session)} == {"duplicate"})
        freed = select(Entry.id).where(Entry.kind == "past_reply", Entry.demoted_reason.is_(None))
        wait_for(runtime, lambda session: session.scalar(freed))
