"""What agents teach: approved replies become past replies, without personal data and without unsupported facts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from assistant import bodies, conversations, decisions, learning, queue
from assistant.decisions import fingerprint
from assistant.jobs import run_worker
from assistant.persona import load_persona
from assistant.runtime import Runtime
from assistant.tables import Conversation, Draft, Message
from knowledge import entries
from knowledge.database import utcnow
from knowledge.gaps import Asked
from knowledge.tables import Entry
from models.language import WordLanguageIdentifier
from tests.stages import a_channel, a_message, an_agent, opened, wait_for

PERSONA = load_persona()
FRAME = "Hi Anna,\n\n{}\n\nKind regards,\nCustomer service\n\nDrafted with AI, checked by a person."
ANSWER = "Parcels to Åland travel by boat and take four days."


@pytest.fixture
def stage(session: Session) -> "Stage":
    return Stage(session)


class Stage:
    """A channel and an agent; messages come in and drafts are decided by hand."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.channel = a_channel(session)
        self.agent = an_agent(session, "Maija")

    def asked(self, message: str = "Do you ship to Åland?", **details: str) -> Conversation:
        received = conversations.receive(self.session, self.channel, a_message(message, **details))
        return conversations.get(self.session, received.conversation_id)

    def drafted(
        self,
        conversation: Conversation,
        body: str = ANSWER,
        *,
        supported: bool = True,
        facts: tuple[str, ...] = (),
        **values: Any,
    ) -> Draft:
        """Write the queued draft as a worker does."""
        draft = conversations.current_draft(self.session, conversation)
        assert draft is not None
        assert draft.status == "queued"
        draft.status, draft.origin, draft.language, draft.text = "ready", "model", "en", FRAME.format(body)
        draft.confidence = 0.9
        draft.sentences = [{"text": one, "supported": supported, "citations": [1]} for one in body.split("\n")]
        draft.unsupported_facts = list(facts)
        for name, value in values.items():
            setattr(draft, name, value)
        self.session.flush()
        return draft

    def abstained(self, conversation: Conversation) -> Draft:
        held = "I want to be sure before I answer, so I'll check this and write to you again."
        return self.drafted(conversation, held, status="abstained", origin="template", confidence=None)

    def approved(self, draft: Draft, sent: str | None = None) -> Message:
        seen = fingerprint(draft)
        return decisions.approve(self.session, draft, agent=self.agent, fingerprint=seen, text=sent)

    def another(self, conversation: Conversation) -> None:
        conversations.request_draft(self.session, conversation, agent=self.agent)

    def learn(self, message: Message) -> Entry | None:
        return learning.learn(
            self.session, message.id, persona=PERSONA, identifier=WordLanguageIdentifier(), known=frozenset()
        )

    def questions(self) -> list[Asked]:
        return learning.unanswered_questions(
            self.session,
            since=utcnow() - timedelta(days=1),
            persona=PERSONA,
            identifier=WordLanguageIdentifier(),
            known=frozenset(),
        )


def test_it_works(stage: Stage) -> None:
    message = stage.approved(stage.drafted(stage.asked("Hello!\n\nDo you ship to Åland?\n\nBr,\nAnna Virtanen")))
    entry = stage.learn(message)
    assert entry is not None
    assert (entry.kind, entry.external_id, entry.language) == ("past_reply", f"reply-{message.id}", "en")
    assert (entry.question, entry.answer) == ("Do you ship to Åland?", ANSWER)
    assert (entry.channel, entry.sent_at) == ("shop", message.sent_at)
    assert jobs(stage.session, queue.INDEX) == 1


def test_an_approval_asks_for_learning(stage: Stage) -> None:
    message = stage.approved(stage.drafted(stage.asked()))
    arguments = stage.session.scalars(
        text("SELECT args FROM procrastinate_jobs WHERE task_name = :name"), {"name": queue.LEARN}
    ).all()
    assert arguments == [{"message_id": message.id}]


def test_learns_once(stage: Stage) -> None:
    message = stage.approved(stage.drafted(stage.asked()))
    entry = stage.learn(message)
    assert entry is not None
    assert stage.learn(message) is None
    entries.retire(stage.session, entry, author="Maija")
    assert stage.learn(message) is None
    assert entry.retired_at is not None


def test_the_same_reply_to_the_same_question_is_not_doubled(stage: Stage) -> None:
    first = stage.learn(stage.approved(stage.drafted(stage.asked(customer_id="one"))))
    assert first is not None
    again = stage.approved(stage.drafted(stage.asked("do you ship to ÅLAND", customer_id="two")))
    assert stage.learn(again) is None
    entries.retire(stage.session, first, author="Maija")
    assert stage.learn(again) is None
    other = stage.approved(stage.drafted(stage.asked("How do parcels get to Mariehamn?", customer_id="three")))
    assert stage.learn(other) is not None


def test_personal_data_stays_out(stage: Stage) -> None:
    conversation = stage.asked(
        "Where is my order 12345678? Write to anna.virtanen@example.com, or call 040 123 4567. Anna Virtanen",
        name="Anna Virtanen",
    )
    sent = (
        "Hi Anna,\n\nYour order 12345678 left today, Virtanen. Parcels to Åland take four days.\n\nKind regards,\nMaija"
    )
    entry = stage.learn(stage.approved(stage.drafted(conversation), sent))
    assert entry is not None
    kept = f"{entry.question} {entry.answer}"
    for private in ("Anna", "Virtanen", "12345678", "example.com", "123 4567", "Maija"):
        assert private not in kept
    assert "Parcels to Åland take four days." in entry.answer


def test_nothing_left_nothing_learned(stage: Stage) -> None:
    sent = "Hi Anna,\n\nThe code of your parcel is JJFI12345678901234567.\n\nKind regards"
    assert stage.learn(stage.approved(stage.drafted(stage.asked()), sent)) is None


def test_all_that_was_asked_since_the_last_reply_is_the_question(stage: Stage) -> None:
    stage.approved(stage.drafted(stage.asked("Are you open on Sunday?")))
    stage.asked("Do you ship to Åland?")
    entry = stage.learn(stage.approved(stage.drafted(stage.asked("How long does it take?"))))
    assert entry is not None
    assert entry.question.split("\n\n") == ["Do you ship to Åland?", "How long does it take?"]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("Thank you!", "Hi Anna,\n\nYou're very welcome!\n\nKind regards,\nCustomer service"),
        ("Do you ship?", "Hi Anna,\n\nI'll look into it and get back to you.\n\nKind regards,\nCustomer service"),
        ("Do you ship?", "Hi,\n\nI will ask our warehouse and come back to you tomorrow.\n\nKind regards,\nMaija"),
        ("Toimitatteko?", "Hei,\n\nSelvitän asian ja palaan sinulle pian.\n\nTerveisin Maija"),
    ],
)
def test_courtesies_and_promises_are_not_learned(stage: Stage, asked: str, sent: str) -> None:
    assert stage.learn(stage.approved(stage.drafted(stage.asked(asked), "Nothing of it."), sent)) is None


def test_a_book_is_not_learned(stage: Stage) -> None:
    book = FRAME.format("The boat to Åland leaves in the morning and takes a day. " * 250)
    assert stage.learn(stage.approved(stage.drafted(stage.asked()), book)) is None


def test_long_questions_are_cut(stage: Stage) -> None:
    for _ in range(8):
        conversation = stage.asked("Do you ship to Åland? " * 100)
    entry = stage.learn(stage.approved(stage.drafted(conversation)))
    assert entry is not None
    assert len(entry.question) <= 4 * learning.LONGEST_MESSAGE


def test_half_a_telephone_number_is_not_learned(stage: Stage) -> None:
    start = "Do you ship to Åland? "
    for before in range(1960, 2000, 3):
        asked = start + "so " * ((before - len(start)) // 3) + "call me 040 123 4567 or 0401234567 or 040-1234567"
        reply = f"Boat number {before} takes it there."
        entry = stage.learn(stage.approved(stage.drafted(stage.asked(asked, customer_id=f"c{before}"), reply)))
        assert entry is not None
        assert entry.question == start.strip()


def test_a_reply_without_a_question_is_not_learned(stage: Stage) -> None:
    assert stage.learn(stage.approved(stage.drafted(stage.asked("Hi,\nAnna Virtanen")))) is None


def test_an_unsupported_sentence_is_not_learned(stage: Stage) -> None:
    assert stage.learn(stage.approved(stage.drafted(stage.asked(), supported=False))) is None


def test_a_draft_that_nobody_checked_is_not_learned(stage: Stage) -> None:
    draft = stage.drafted(stage.asked(), sentences=[])
    assert stage.learn(stage.approved(draft)) is None


def test_what_the_agent_wrote_counts_as_theirs(stage: Stage) -> None:
    draft = stage.drafted(stage.asked(), "It costs 90 euros.", supported=False, facts=("90 euros",))
    entry = stage.learn(stage.approved(draft, FRAME.format("Shipping to the islands is 15 euros.")))
    assert entry is not None
    assert entry.answer == "Shipping to the islands is 15 euros."


def test_an_unsupported_fact_that_was_left_is_not_the_agents(stage: Stage) -> None:
    draft = stage.drafted(stage.asked(), "It costs 90 euros to ship.", supported=False, facts=("90 euros",))
    assert stage.learn(stage.approved(draft, FRAME.format("It costs 90 euros to ship there."))) is None


def test_learning_can_be_switched_off(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path, learn=False) as runtime:
        message = approved_in(runtime)
        learning.learn_from_reply(runtime, message)
        assert past_replies(runtime) == []


def test_the_job_learns(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path) as runtime:
        message = approved_in(runtime)
        learning.learn_from_reply(runtime, message)
        learning.learn_from_reply(runtime, message)
        learning.learn_from_reply(runtime, message + 1)  # there is none: it was removed
        assert past_replies(runtime) == [ANSWER]


def test_questions_that_were_not_answered(stage: Stage) -> None:
    stage.abstained(stage.asked("Do you ship to Åland?", customer_id="one"))
    rejected = stage.drafted(stage.asked("Is there parking?", customer_id="two"))
    decisions.reject(stage.session, rejected, agent=stage.agent, reason="wrong")
    rewritten = stage.drafted(stage.asked("Onko teillä sauna?", customer_id="three"))
    stage.approved(rewritten, "Hei Anna,\n\nValitettavasti saunaa ei ole.\n\nTerveisin Maija")
    stage.approved(stage.drafted(stage.asked("When do you open?", customer_id="four")))
    touched = stage.drafted(stage.asked("Do you close early?", customer_id="five"))
    stage.approved(touched, FRAME.format(ANSWER + " Enjoy!"))
    stage.drafted(stage.asked("Do you sell tea?", customer_id="six"))
    assert [(one.text, one.reason, one.reply, one.language) for one in stage.questions()] == [
        ("Onko teillä sauna?", "rewritten", "Valitettavasti saunaa ei ole.", "fi"),
        ("Is there parking?", "rejected", "", "en"),
        ("Do you ship to Åland?", "abstained", "", "en"),
    ]


def test_a_question_counts_once_however_often_it_was_drafted(stage: Stage) -> None:
    conversation = stage.asked("Do you ship to Åland? Anna Virtanen")
    stage.approved(stage.abstained(conversation))
    stage.another(conversation)
    decisions.reject(stage.session, stage.drafted(conversation), agent=stage.agent, reason="wrong")
    stage.another(conversation)
    stage.approved(stage.drafted(conversation, "Nothing of it."), FRAME.format(ANSWER))
    assert [(one.text, one.reason, one.reply) for one in stage.questions()] == [
        ("Do you ship to Åland? {name}", "abstained", ANSWER)
    ]


def test_a_closed_conversation_without_a_reply_counts(stage: Stage) -> None:
    conversation = stage.asked()
    stage.abstained(conversation)
    conversations.close(stage.session, conversation, agent=stage.agent)
    assert [one.reason for one in stage.questions()] == ["abstained"]


def test_what_was_superseded_by_a_good_draft_does_not_count(stage: Stage) -> None:
    conversation = stage.asked()
    stage.abstained(conversation)
    stage.asked("I mean the islands.")
    stage.approved(stage.drafted(conversation))
    assert stage.questions() == []


def test_thanks_and_old_questions_do_not_count(stage: Stage) -> None:
    stage.abstained(stage.asked("Thanks a lot!", customer_id="one"))
    phrases = stage.drafted(stage.asked("Kiitos!", customer_id="two"), "Ole hyvä!", origin="template", confidence=1.0)
    stage.approved(phrases, "Hei Anna,\n\nJuhannuksena emme ole auki.\n\nTerveisin Maija")
    stage.abstained(stage.asked("???", customer_id="three"))
    old = stage.abstained(stage.asked("Do you ship?", customer_id="four"))
    old.created_at = utcnow() - timedelta(days=3)
    stage.session.flush()
    assert stage.questions() == []


def test_the_job_is_done_by_the_worker(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path, debounce_seconds=0) as runtime, working(runtime):
        message = approved_in(runtime)
        wait_for(
            runtime, lambda session: entries.find(session, "past_reply", f"reply-{message}") is not None, seconds=60
        )


def test_bodies_are_told_from_their_frames() -> None:
    for letter, said in [
        (FRAME.format("One. Two."), "One. Two."),
        ("Hei Matti!\nKäykö perjantai?\n\nTerv. Liisa", "Käykö perjantai?"),
        ("hi when do you open", "hi when do you open"),
        ("Hyvä palvelu, mutta missä hinta?", "Hyvä palvelu, mutta missä hinta?"),
        ("Thanks,\nAnna", ""),
        ("Hello!", ""),
        ("", ""),
        ("Terveisin sain laskun, josta en tiedä mitään, " + "ja se on väärä " * 9, None),
    ]:
        assert bodies.body(letter, PERSONA) == (letter.strip() if said is None else said)


def test_rewritten_is_less_than_half_of_the_words() -> None:
    draft = FRAME.format("Parcels take four days in Finland.")
    assert not bodies.is_rewritten(draft, draft)
    assert not bodies.is_rewritten(draft, FRAME.format("Parcels take five days in Finland."))
    assert bodies.is_rewritten(draft, FRAME.format("The shop has no parking."))
    assert bodies.is_rewritten(draft, "We are closed.")
    assert not bodies.is_rewritten("Parcels take four days.", "Parcels take four days!")


def jobs(session: Session, task: str) -> int:
    statement = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = :name")
    return int(session.scalar(statement, {"name": task}) or 0)


def approved_in(runtime: Runtime) -> int:
    """Have a reply approved in a transaction of its own, and return its message's id."""
    with runtime.sessions.begin() as session:
        stage = Stage(session)
        conversation = stage.asked()
        return stage.approved(stage.drafted(conversation)).id


@contextmanager
def working(runtime: Runtime) -> Iterator[None]:
    """Have a worker at work meanwhile."""
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(runtime,), kwargs={"stop": stop})
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def past_replies(runtime: Runtime) -> list[str]:
    with runtime.sessions() as session:
        return list(session.scalars(select(Entry.answer).where(Entry.kind == "past_reply")))
