"""What a question finds, that nothing stale is ever shown, and that running processes follow."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from knowledge import entries, snapshots
from knowledge.entries import EntryContent
from knowledge.indexing import update_index
from knowledge.search import KnowledgeBase
from models.fakes import FakeEmbedder

NOW = datetime.now(UTC)
ENTRIES = [
    EntryContent(
        kind="faq", external_id="hours", question="When are you open?", answer="From 9 to 17 on working days.",
        language="en", url="https://example.com/hours", alternatives=["opening times of the shop"],
    ),
    EntryContent(
        kind="faq", external_id="returns", question="Can I return coffee?", answer="It is within 30 days.",
        language="en",
    ),
    EntryContent(
        kind="faq", external_id="palautus", question="Voinko palauttaa kahvin?", answer="Kyllä, 30 päivää.",
        language="fi",
    ),
    EntryContent(
        kind="faq", external_id="toimitus", question="Mikä on toimitusaika?", answer="Noin 3 päivää.", language="fi",
    ),
    EntryContent(
        kind="past_reply", external_id="reply-1", question="Can I return coffee? Regards Tom Sawyer",
        answer="Dear Tom, it is within 30 days. Your order is UP-20431.", language="en",
    ),
]  # fmt: skip


@pytest.fixture
def index(engine: Engine, tmp_path: Path) -> Path:
    with Session(engine) as session, session.begin():
        entries.put_many(session, ENTRIES, author="test")
    update_index(engine, tmp_path, FakeEmbedder())
    return tmp_path


@pytest.fixture
def base(engine: Engine, index: Path) -> Iterator[KnowledgeBase]:
    opened = KnowledgeBase(engine, index, FakeEmbedder())
    yield opened
    opened.close()


def change(engine: Engine, name: str, **update: object) -> None:
    with Session(engine) as session, session.begin():
        entry = entries.find(session, None, name)
        assert entry is not None
        content = EntryContent.model_validate(entries.content_of(entry).model_dump() | update)
        entries.revise(session, entry, content, author="test")


def found(base: KnowledgeBase, question: str, k: int = 5) -> list[str]:
    return [match.external_id for match in base.search(question, k=k).matches]


def test_it_works(base: KnowledgeBase) -> None:
    result = base.search("When are you open")
    best = result.matches[0]
    assert (result.language, result.snapshot, result.question) == ("en", base.snapshot, "When are you open")
    assert (best.external_id, best.answer, best.passage) == ("hours", ENTRIES[0].answer, ENTRIES[0].answer)
    assert (best.url, best.revision, best.kind, best.language) == ("https://example.com/hours", 1, "faq", "en")
    assert (best.dense_rank, best.lexical_rank) == (1, 1)
    assert [match.score for match in result.matches] == sorted((match.score for match in result.matches), reverse=True)
    assert all(0 <= match.score <= 1 for match in result.matches)


def test_finnish_compounds_and_spoken_forms_are_found(base: KnowledgeBase) -> None:
    assert found(base, "millon toimitus tulee")[0] == "toimitus"
    assert found(base, "voiks palauttaa")[0] == "palautus"


def test_another_wording_of_the_question_finds_it_too(base: KnowledgeBase) -> None:
    assert found(base, "opening times of the shop", k=1) == ["hours"]


def test_the_faq_comes_before_a_past_reply_that_fits_as_well(base: KnowledgeBase) -> None:
    assert found(base, "return coffee")[:2] == ["returns", "reply-1"]


def test_a_past_reply_shows_no_personal_data(base: KnowledgeBase) -> None:
    (match,) = [m for m in base.search("return coffee").matches if m.kind == "past_reply"]
    shown = match.question + match.answer + match.passage
    assert match.answer == match.passage == "it is within 30 days. Your order is {order_number}."
    assert not any(secret in shown for secret in ("Tom", "Sawyer", "20431"))


@pytest.mark.parametrize("question", ["", "  \n", "\0"])
def test_an_empty_question_finds_nothing(base: KnowledgeBase, question: str) -> None:
    result = base.search(question)
    assert (result.matches, result.answerable, result.confidence) == ((), False, 0.0)


def test_fresh_empty_knowledge_finds_nothing(engine: Engine, tmp_path: Path) -> None:
    empty = KnowledgeBase(engine, tmp_path / "none", FakeEmbedder())
    assert empty.search("When do you open?").matches == ()
    update_index(engine, tmp_path / "none", FakeEmbedder())
    assert empty.refresh()
    assert empty.search("When do you open?").answerable is False


def test_a_retired_entry_is_gone_at_once(base: KnowledgeBase, engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        entry = entries.find(session, "faq", "returns")
        assert entry is not None
        entries.retire(session, entry, author="test")
    assert "returns" not in found(base, "return coffee")


def test_a_changed_entry_is_never_shown_as_it_was(base: KnowledgeBase, engine: Engine, index: Path) -> None:
    change(engine, "returns", answer="Never again.")
    assert "returns" not in found(base, "return coffee")
    update_index(engine, index, FakeEmbedder())
    assert base.refresh()
    assert base.search("return coffee").matches[0].passage == "Never again."


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ({"valid_until": NOW - timedelta(days=1)}, False),
        ({"valid_from": NOW + timedelta(days=1)}, False),
        ({"valid_from": NOW - timedelta(days=1), "valid_until": NOW + timedelta(days=1)}, True),
    ],
)
def test_an_entry_is_shown_while_it_is_valid(
    base: KnowledgeBase, engine: Engine, index: Path, times: dict[str, datetime], shown: bool
) -> None:
    change(engine, "returns", **times)
    update_index(engine, index, FakeEmbedder())
    base.refresh()
    assert ("returns" in found(base, "return coffee")) is shown


def index_again(base: KnowledgeBase, engine: Engine, index: Path) -> None:
    update_index(engine, index, FakeEmbedder())
    base.refresh()


def test_a_superseded_entry_is_not_shown_while_its_successor_is_live(
    base: KnowledgeBase, engine: Engine, index: Path
) -> None:
    change(engine, "hours", supersedes=["returns", "reply-1"])
    index_again(base, engine, index)
    assert "returns" not in found(base, "return coffee")
    assert "reply-1" in found(base, "return coffee")  # of another kind
    with Session(engine) as session, session.begin():
        entry = entries.find(session, "faq", "hours")
        assert entry is not None
        entries.retire(session, entry, author="test")
    assert "returns" in found(base, "return coffee")


def test_an_entry_does_not_supersede_before_it_is_valid(base: KnowledgeBase, engine: Engine, index: Path) -> None:
    change(engine, "hours", supersedes=["returns"], valid_from=NOW + timedelta(days=1))
    index_again(base, engine, index)
    assert "returns" in found(base, "return coffee")


def test_an_internal_entry_guides_and_is_no_match(base: KnowledgeBase, engine: Engine, index: Path) -> None:
    change(engine, "returns", audience="internal")
    index_again(base, engine, index)
    result = base.search("Can I return coffee?")
    assert "returns" not in [match.external_id for match in result.matches]
    assert [match.external_id for match in result.guidance] == ["returns"]
    assert result.guidance[0].audience == "internal"


def test_internal_entries_alone_answer_nothing(engine: Engine, tmp_path: Path) -> None:
    internal = ENTRIES[1].model_copy(update={"audience": "internal"})
    with Session(engine) as session, session.begin():
        entries.put(session, internal, author="test")
    update_index(engine, tmp_path, FakeEmbedder())
    result = KnowledgeBase(engine, tmp_path, FakeEmbedder()).search("Can I return coffee?")
    assert (result.matches, result.answerable, result.confidence) == ((), False, 0.0)
    assert len(result.guidance) == 1


def test_an_entry_for_one_channel_answers_there_alone(base: KnowledgeBase, engine: Engine, index: Path) -> None:
    change(engine, "returns", channel="Instagram")
    index_again(base, engine, index)
    assert "returns" not in found(base, "return coffee")
    for channel, shown in (("instagram", True), ("mail", False)):
        names = [match.external_id for match in base.search("return coffee", channel=channel).matches]
        assert ("returns" in names) is shown


def test_a_demoted_past_reply_comes_last(base: KnowledgeBase, engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        entry = entries.find(session, "past_reply", "reply-1")
        assert entry is not None
        entry.demoted_reason = "It says 30 days, the FAQ says 60."
    last = base.search("return coffee").matches[-1]
    assert (last.external_id, last.demoted) == ("reply-1", True)


def test_each_question_of_a_message_has_its_best_passage_first(base: KnowledgeBase) -> None:
    result = base.search("When are you open? And can I return coffee?")
    assert result.questions == ("When are you open?", "And can I return coffee?")
    assert [(match.external_id, match.best_for) for match in result.matches[:2]] == [("hours", (0,)), ("returns", (1,))]
    assert len({match.external_id for match in result.matches}) == len(result.matches)


def test_small_talk_is_not_answerable(base: KnowledgeBase) -> None:
    result = base.search("Thanks a lot, have a nice day!")
    assert (result.needs_passage, result.answerable) == (False, False)


def test_what_was_said_before_decides_between_twins(engine: Engine, tmp_path: Path) -> None:
    twins = [
        ENTRIES[1].model_copy(
            update={"external_id": name, "question": "Is there parking?", "answer": f"The {name} has some."}
        )
        for name in ("Anchor", "Bell")
    ]
    with Session(engine) as session, session.begin():
        entries.put_many(session, twins, author="test")
    update_index(engine, tmp_path, FakeEmbedder())
    base = KnowledgeBase(engine, tmp_path, FakeEmbedder())
    for name in ("Anchor", "Bell"):
        best = base.search("is there parking", history=["Hello", f"A room at the {name}, please."]).matches[0]
        assert best.external_id == name


def test_entries_that_cannot_be_shown_do_not_use_up_the_places(engine: Engine, tmp_path: Path) -> None:
    contents = [ENTRIES[1].model_copy(update={"external_id": f"n{n}", "answer": f"Answer {n}."}) for n in range(40)]
    with Session(engine) as session, session.begin():
        entries.put_many(session, contents, author="test")
    update_index(engine, tmp_path, FakeEmbedder())
    base = KnowledgeBase(engine, tmp_path, FakeEmbedder())
    with Session(engine) as session, session.begin():
        for number in range(38):
            entry = entries.find(session, "faq", f"n{number}")
            assert entry is not None
            entries.retire(session, entry, author="test")
    assert sorted(found(base, "return coffee")) == ["n38", "n39"]


def test_a_watching_process_takes_up_a_new_snapshot(
    base: KnowledgeBase, engine: Engine, index: Path, database_url: str
) -> None:
    base.watch(database_url)
    change(engine, "returns", answer="Within 60 days.")
    report = update_index(engine, index, FakeEmbedder())
    wait_until = time.monotonic() + 20
    while base.snapshot != report.snapshot and time.monotonic() < wait_until:
        time.sleep(0.02)
    assert base.search("return coffee").matches[0].answer == "Within 60 days."


def test_a_damaged_snapshot_leaves_the_loaded_one_in_use(base: KnowledgeBase, engine: Engine, index: Path) -> None:
    before = base.snapshot
    change(engine, "hours", answer="Always.")
    report = update_index(engine, index, FakeEmbedder())
    (index / report.snapshot / "vectors.faiss").write_bytes(b"nonsense")
    assert base.refresh() is False
    assert base.snapshot == before
    assert found(base, "return coffee")[0] == "returns"


def test_words_are_searched_where_the_index_has_another_embedders_vectors(engine: Engine, index: Path) -> None:
    other = KnowledgeBase(engine, index, FakeEmbedder(32))
    match = other.search("return coffee").matches[0]
    assert (match.external_id, match.dense_rank) == ("returns", None)


def test_searching_while_snapshots_are_swapped(base: KnowledgeBase, engine: Engine, index: Path) -> None:
    errors: list[Exception] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                assert "hours" in found(base, "When do you open?")
            except Exception as error:  # whatever a thread raises has to fail the test
                errors.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(5):
        change(engine, "returns", answer=f"Within {number} days.")
        update_index(engine, index, FakeEmbedder())
        base.refresh()
    stop.set()
    for thread in threads:
        thread.join(timeout=20)
    assert errors == []


def test_a_pointer_to_somewhere_else_is_not_followed(tmp_path: Path) -> None:
    for text in ("../secrets\n", "", "/etc\n"):
        (tmp_path / "current").write_text(text)
        assert snapshots.current_name(tmp_path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    st.text(max_size=100)
    | st.sampled_from(["x" * 100_000, "🙂🙂", "a \ud800 b", '"-+:(', "‮return‬ coffee", "AND OR NOT"])
)
def test_any_question_is_answered(base: KnowledgeBase, question: str) -> None:
    result = base.search(question, k=3)
    assert len(result.matches) <= 3
    assert 0 <= result.confidence <= 1
