"""The slots of past replies: what this customer wrote of themselves goes in, everything else goes with its sentence."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.drafting import draft_reply
from assistant.reply import DraftRequest
from assistant.slots import FILLED, details, fill, fitted
from knowledge.redaction import TYPES
from knowledge.search import SearchResult
from models import Language
from models.chat import Turn
from models.fakes import FakeLanguageModel
from tests.test_drafting import IDENTIFIER, PERSONA, match

REQUEST = DraftRequest("Where is my order UP-55501? My mail is eve@example.com.", customer_name="Eve Stone")
VALUES = {"name": "Eve", "order_number": "UP-55501", "email": "eve@example.com"}


def test_it_works() -> None:
    assert details(REQUEST) == VALUES
    assert fill("Thanks, {name}! I opened a trace for {order_number}.", VALUES) == (
        "Thanks, Eve! I opened a trace for UP-55501."
    )
    assert fill("It takes 5 days. I'll text {phone}. We are sorry.", VALUES) == "It takes 5 days. We are sorry."


@pytest.mark.parametrize(
    "sentence",
    [
        "We told {name} about it.",  # somebody else's name
        "Soitan {name} huomenna.",  # was an inflected form
        "{name}'s parcel is here.",
        "The money goes to {iban}.",
        "We sent it to {address}.",
        "Your code is {personal_id}.",
        "Card {card} was charged.",
        "What is {unheard_of}?",
        "Empty {} braces.",
    ],
)
def test_what_cannot_be_filled_goes_with_its_sentence(sentence: str) -> None:
    everything = dict.fromkeys(TYPES, "X-1")
    assert fill(f"Delivery takes 5 days. {sentence}", everything) == "Delivery takes 5 days."


def test_nothing_is_repeated_in_public() -> None:
    assert details(replace(REQUEST, visibility="public")) == {}


def test_of_two_order_numbers_neither_is_taken() -> None:
    assert "order_number" not in details(replace(REQUEST, text="Orders UP-55501 and UP-55502 are late."))


def test_earlier_messages_of_the_customer_count_and_the_agents_do_not() -> None:
    history = (Turn("customer", "My order is UP-70001."), Turn("agent", "Is your number 040 555 0161?"))
    assert details(DraftRequest("Any news?", history=history)) == {"order_number": "UP-70001"}


def test_a_strange_name_is_no_name() -> None:
    assert "name" not in details(replace(REQUEST, customer_name="{order_number}"))


def test_a_past_reply_of_which_nothing_is_left_goes() -> None:
    past = replace(match(1, "Where is {order_number}?", "It went to {address}."), kind="past_reply")
    kept = replace(match(2, "Where is {order_number}?", "Order {order_number} left."), kind="past_reply")
    faq = match(3, "What does {name} mean?", "Write {name} where the name should be.")
    found = fitted([past, kept, faq], VALUES)
    assert [(m.entry_id, m.question, m.answer) for m in found] == [
        (2, "Where is UP-55501?", "Order UP-55501 left."),
        (3, faq.question, faq.answer),
    ]


_TEXTS = st.lists(
    st.one_of(
        st.sampled_from([f"{{{type_}}}" for type_ in TYPES]),
        st.sampled_from(
            ["hei ", ", ", ". ", "! ", "Delivery takes 5 days. ", "{", "}", "\n", "[1]", "{{name}}", "'s "]
        ),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(_TEXTS, st.dictionaries(st.sampled_from(sorted(FILLED | {"name"})), st.just("UP-1"), max_size=4))
def test_no_slot_survives(text: str, values: dict[str, str]) -> None:
    assert not re.search(r"\{\w*\}", fill(text, values))


@settings(deadline=None, max_examples=40)
@given(_TEXTS, _TEXTS, st.booleans(), st.booleans())
def test_no_slot_reaches_a_draft(question: str, answer: str, model: bool, public: bool) -> None:
    past = replace(match(1, f"Where is my order? {question}", f"It leaves on Monday. {answer}"), kind="past_reply")

    class Known:
        def search(self, question: str, *, k: int = 5, language: Language | None = None, **_: object) -> SearchResult:
            return SearchResult(question, language, True, (past,), "snapshot-1", confidence=0.9)

    draft = draft_reply(
        replace(REQUEST, visibility="public" if public else "private"),
        knowledge_base=Known(),
        language_model=FakeLanguageModel() if model else None,
        identifier=IDENTIFIER,
        persona=PERSONA,
    )
    shown = [draft.text, *(s.text for s in draft.sentences), *(c.title + c.excerpt for c in draft.citations)]
    assert not any(re.search(r"\{\w*\}", text) for text in shown)
