"""What a message asks, and whether it asks anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.questions import MOST, needs_passage, questions


def test_it_works() -> None:
    message = "I ordered last week. Where is my parcel? And can I return the grinder?"
    assert questions(message) == ("I ordered last week. Where is my parcel?", "And can I return the grinder?")
    assert needs_passage(message)


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("How much is shipping and can I pick it up myself?", ["How much is shipping", "and can I pick it up myself?"]),
        ("Paljonko toimitus on ja entä voinko noutaa itse", ["Paljonko toimitus on", "ja entä voinko noutaa itse"]),
        ("moi, millon ootte auki, ja voiko tuoda koiran", ["moi, millon ootte auki", "ja voiko tuoda koiran"]),
        ("Do you sell tea? Also, is there parking? Thanks!", ["Do you sell tea?", "Also, is there parking? Thanks!"]),
    ],
)  # fmt: skip
def test_several_questions_are_told_apart(message: str, parts: list[str]) -> None:
    assert list(questions(message)) == parts


@pytest.mark.parametrize(
    "message",
    [
        "Can I return coffee and tea?",
        "Voinko maksaa laskulla? Miksi en?",
        "Do you ship to Sweden? And to Norway?",
        "Toimitatteko Ahvenanmaalle? Entä Ruotsiin?",
        "jos tilaan tänään ja maksan kortilla niin koska se tulee",
        "My parcel is late. It should have come on Monday.",
        "Is it A? Is it B? Is it C? Is it D? Is it E? Is it F?",
        "Why?",
    ],
)
def test_one_question_stays_whole(message: str) -> None:
    assert questions(message) == (message,)


@pytest.mark.parametrize(
    "message",
    [
        "Thanks!",
        "Kiitos avusta!",
        "Hei",
        "Great service, thank you so much!",
        "no thanks, that's all. Have a nice weekend ☕",
        "no nyt selvis, kiitti ja hyvää viikonloppua ❤️",
        "mahtava palvelu, kiitos paljon koko tiimille",
        "❤️",
        "",
    ],
)
def test_small_talk_needs_no_passage(message: str) -> None:
    assert not needs_passage(message)


@pytest.mark.parametrize(
    "message",
    [
        "Tilauksen peruutus, kiitos",
        "kiitos, mutta pakettia ei näy",
        "Thanks, and the refund",
        "ok?",
        "12345",
        "Hyvää päivää, missä pakettini on",
    ],
)
def test_whoever_wants_something_needs_one(message: str) -> None:
    assert needs_passage(message)


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["Can I?", "ja voiko", "why", "and", "kiitos", ", "])).map(" ".join)
)
def test_nothing_is_lost(message: str) -> None:
    parts = questions(message)
    assert len(parts) <= MOST
    assert "".join(" ".join(parts).split()).replace(",", "") == "".join(message.split()).replace(",", "")
    needs_passage(message)
