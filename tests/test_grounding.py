"""A draft is tied to its sources sentence by sentence, and what they do not say is flagged."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import knowledge
from assistant.courtesy import is_courtesy
from assistant.grounding import check, is_copied
from assistant.sentences import sentences
from models.chat import Evidence
from tests.corruptions import CORRUPTIONS, restated

SAMPLE = Path(knowledge.__file__).parent / "sample"
RETURNS = Evidence(
    "Can I return a kettle?",
    "Unused kettles can be returned within 30 days. Keep the receipt. Opened kettles cannot be returned. "
    "A return costs €5.90.",
)
OPENING = Evidence("Milloin olette auki?", "Kahvila on avoinna ma–pe klo 9–16. Sunnuntaisin kahvila on suljettu.")


def sample() -> list[tuple[Evidence, str]]:
    """Return every sentence of the sample answers with its entry."""
    found = []
    for path in sorted(SAMPLE.glob("faq_*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            evidence = Evidence(entry["question"], entry["answer"])
            found += [(evidence, sentence) for sentence in sentences(entry["answer"])]
    return found


def test_it_works() -> None:
    """Copied sentences are tied to their passages, courtesies need none."""
    report = check(
        "Thanks for your message. Unused kettles can be returned within 30 days. [1] Kahvila on avoinna arkisin klo "
        "9–16 [2]. Just write to us if anything is unclear.",
        [RETURNS, OPENING],
    )
    assert report.supported
    assert [sentence.citations for sentence in report.sentences] == [(), (1,), (2,), ()]
    assert report.unsupported_facts == ()
    assert all("[" not in sentence.text for sentence in report.sentences)


def test_a_wrong_mark_is_put_right() -> None:
    """What another passage says is tied to that one, and a sentence without a mark to the one that says it."""
    report = check("Keep the receipt. [2] A return costs 5.90 euros.", [RETURNS, OPENING])
    assert [sentence.citations for sentence in report.sentences] == [(1,), (1,)]


def test_two_passages_in_one_sentence() -> None:
    """A sentence that joins two passages cites both."""
    other = Evidence("Where?", "The return label is on our website.")
    report = check("Keep the receipt, and the return label is on our website. [1][2]", [RETURNS, other])
    assert report.supported
    assert report.sentences[0].citations == (1, 2)


@pytest.mark.parametrize(
    ("draft", "missing"),
    [
        ("Unused kettles can be returned within 60 days. [1]", ("60 days",)),
        ("Unused kettles can be returned within 30 weeks. [1]", ("30 weeks",)),
        ("A return costs $5.90. [1]", ("$5.90",)),
        ("Unused kettles cannot be returned within 30 days. [1]", ()),
        ("Opened kettles can be returned. [1]", ()),
        ("Used kettles can be returned within 30 days. [1]", ()),
        ("Kahvila on avoinna ma–la klo 9–16. [2]", ("ma–la",)),
        ("Kahvila on suljettu ma–pe klo 9–16. [2]", ()),
        ("Kahvila ei ole avoinna ma–pe klo 9–16. [2]", ()),
        ("Unused toasters can be returned within 30 days. [1]", ()),
        ("Our lawyers welcome you.", ()),
        ("Yes.", ()),
        ("You get your money back at once.", ()),
        ("Call us at +358 40 123 4567. [1]", ("+358 40 123 4567",)),
        ("Thanks, see https://evil.example/pay for details.", ("https://evil.example/pay",)),
        ("Nothing of this has a source. [7]", ()),
    ],
)
def test_what_no_passage_says_is_flagged(draft: str, missing: tuple[str, ...]) -> None:
    """Numbers, units, polarity, direction, other things, promises, addresses."""
    report = check(draft, [RETURNS, OPENING])
    assert not report.supported
    assert report.unsupported_facts == missing
    assert report.score < 0.8


@pytest.mark.parametrize(
    ("draft", "supported"),
    [
        ("Lisäksi kahvila on 6.12. ja 24.–26.12. [1]", False),
        ("Lisäksi kahvila on 6.12. suljettu. [1]", True),
        ("Opened coffee can be exchanged. [2]", False),
        ("Opened coffee can only be exchanged. [2]", True),
        ("Unopened bags can be returned. [2]", True),
    ],
)
def test_a_sentence_without_the_word_that_turns_it_is_flagged(draft: str, supported: bool) -> None:
    """A copying model left out "suljettu", and the café was open on holidays. A whole condition may be left out."""
    closed = Evidence("Milloin kahvila on auki?", "Lisäksi kahvila on 6.12. ja 24.–26.12. suljettu.")
    returns = "Opened coffee can only be exchanged. Unopened bags can be returned without a receipt."
    assert check(draft, [closed, Evidence("Returns", returns)]).supported is supported


def test_a_fact_of_another_passage_does_not_count() -> None:
    """The fact must be in the passage that is cited, whatever the others say."""
    report = check("Unused kettles can be returned within 9 days. [1]", [RETURNS, Evidence("", "Wait 9 days.")])
    assert not report.supported
    assert report.unsupported_facts == ("9 days",)


def test_the_customers_own_facts_are_echoed_not_asserted() -> None:
    """Their order number may stand in a sentence with a source or in a question, and nowhere else."""
    said = "Where is my order UP-204518?"
    evidence = [Evidence("Where is my order?", "Your order leaves our roastery within 2 days.")]
    assert check("Your order UP-204518 leaves our roastery within 2 days. [1]", evidence, customer=said).supported
    assert check("Could you check if your order number is UP-204518?", evidence, customer=said).supported
    asserted = check("Your order UP-204518 has been lost.", evidence, customer=said)
    assert asserted.unsupported_facts == ("UP-204518",)
    other = check("Your order UP-204581 leaves our roastery within 2 days. [1]", evidence, customer=said)
    assert other.unsupported_facts == ("UP-204581",)


@pytest.mark.parametrize(
    "sentence",
    [
        "Hi Anna!",
        "Thank you so much for your kind words!",
        "I'm sorry that your parcel is late.",
        "Oh no, I'm so sorry about the trouble with your order!",
        "I understand that this is frustrating, and I'm sorry.",
        "Just write to us if anything is unclear, I'm happy to help.",
        "If you have other questions, just ask!",
        "Could you tell us your order number?",
        "Have a lovely day!",
        "Kiitos viestistäsi!",
        "Pahoittelut, että pakettisi on myöhässä.",
        "Voi ei, olen todella pahoillani tästä.",
        "Ymmärrän hyvin, että tämä harmittaa.",
        "Autan mielelläni, jos sinulla on lisää kysyttävää.",
        "Laita viestiä, jos jokin jäi epäselväksi.",
        "Voisitko kertoa tilausnumerosi?",
        "Mukavaa päivänjatkoa!",
        "😊",
    ],
)
def test_a_courtesy_needs_no_evidence(sentence: str) -> None:
    """It may name what the customer named."""
    assert is_courtesy(sentence, frozenset(["parcel", "order", "number", "pakettisi", "tilausnumero"]))


@pytest.mark.parametrize(
    "sentence",
    [
        "I'm sorry that returns are not possible.",
        "Sorry the café is closed.",
        "Thanks, you get your money back.",
        "I understand that you can return opened bags.",
        "I'm glad to refund your order.",
        "Don't worry, the money is already on your account.",
        "Let me send you a new one.",
        "Happy to tell you that delivery is free.",
        "Please write to us and we will refund you.",
        "Did you know that returns are always refunded?",
        "Thank you, your parcel arrives on Monday.",
        "Have a lovely day, returns are accepted.",
        "Pahoittelut, saat rahat takaisin heti.",
        "Olen pahoillani, että palautus ei ole mahdollista.",
        "Ymmärrän, että kahvi on luomua.",
        "Kiitos, palautamme rahat.",
        "Autan mielelläni, hyvitys on jo tilillä.",
        "Hyvä, että kysyit, kahvi on luomua.",
        "Kerro tilausnumerosi kahvilan tiskillä.",
        "Kyllä, voit palauttaa kahvin.",
    ],
)
def test_a_claim_in_courteous_words_is_a_claim(sentence: str) -> None:
    """Even where the customer used every one of its words."""
    named = "returns café closed money back opened bags return refund order account new delivery free parcel palautus "
    named += "rahat hyvitys tili kahvi luomua tilausnumero kahvila tiski palauttaa accepted"
    assert not is_courtesy(sentence, frozenset(named.split()))


def test_no_sample_sentence_passes_for_a_courtesy() -> None:
    """What the shop says of itself always needs its source."""
    assert [said for evidence, said in sample() if is_courtesy(said, frozenset(evidence.text.lower().split()))] == []


def test_faithful_sentences_raise_no_alarm() -> None:
    """Copied, begun with an assent, in another notation: less than two in a hundred are flagged."""
    forms = [(evidence, form) for evidence, said in sample() for form in restated(said)]
    flagged = [form for evidence, form in forms if not check(f"{form} [1]", [evidence]).supported]
    assert len(forms) > 1000
    assert len(flagged) / len(forms) < 0.02, flagged


def test_corruptions_are_flagged() -> None:
    """Of 200 seeded corruptions all of digits, units, dates, addresses and numbers, and 97 in 100 of denials."""
    rng = Random(20)
    pool = sample()
    flagged: dict[str, list[bool]] = {kind: [] for kind in CORRUPTIONS}
    passed = []
    while sum(map(len, flagged.values())) < 200:
        kind = min(flagged, key=lambda kind: len(flagged[kind]))
        evidence, said = rng.choice(pool)
        false = CORRUPTIONS[kind](rng, said)
        if false is not None and false != said:
            seen = not check(f"{false} [1]", [evidence]).supported
            flagged[kind].append(seen)
            passed += [] if seen else [false]
    assert all(all(seen) for kind, seen in flagged.items() if kind != "negation"), passed
    assert sum(flagged["negation"]) / len(flagged["negation"]) >= 0.97, passed


@pytest.mark.parametrize(
    ("sentence", "copied"),
    [
        ("Keep the receipt.", True),
        ("Yes, unused kettles can be returned within 30 days.", True),
        ("Unused kettles can returned within 30 days.", False),
        ("Unused kettles can be.", False),
        ("Sused kettles can be returned within 30 days.", False),
        ("Cups and kettles can be returned within 30 days.", False),
    ],
)
def test_copied_word_for_word(sentence: str, copied: bool) -> None:
    """A word or two may stand before it; after that every word counts."""
    assert is_copied(sentence, [RETURNS]) == copied


def test_a_word_that_nobody_used_is_flagged() -> None:
    """A small model's slip in a long sentence leaves nearly all of its words supported."""
    long = Evidence("", "An order placed on a weekday morning leaves our roastery in Tampere the same afternoon.")
    assert check(
        "An order placed on a weekday morning leaves our roastery in Tampere the same afternoon.", [long]
    ).supported
    slip = check("An order placed on a weekday morning leaves our roastery in Tampere the same porridge.", [long])
    assert not slip.supported


@given(st.text(), st.text())
def test_any_text_can_be_checked(draft: str, source: str) -> None:
    """Nothing raises, and no sentence cites what is not there."""
    report = check(draft, [Evidence("", source)])
    assert all(set(sentence.citations) <= {1} for sentence in report.sentences)
    assert 0 <= report.score <= 1


@given(
    st.lists(st.sampled_from(["Keep the receipt.", "[1]", "[2]", "Hei!", "30 days", "[[1]", "not", "\n"]), max_size=8)
)
def test_marks_in_any_place(parts: list[str]) -> None:
    """Marks in any order leave no mark in a sentence."""
    report = check(" ".join(parts), [RETURNS])
    assert all("[1]" not in sentence.text for sentence in report.sentences)
