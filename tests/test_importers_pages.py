"""Markdown and web pages: which questions are seen in them, and that only text comes out."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.entries import EntryContent
from knowledge.importers import Row, UnreadableFile, html, markdown
from knowledge.importers.front_matter import joined, split
from knowledge.importers.markup import text_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def entries(rows: list[Row]) -> dict[str, EntryContent]:
    return {row.external_id: row for row in rows if isinstance(row, EntryContent)}


def read_md(text: str, name: str = "docs/toimitus.md") -> dict[str, EntryContent]:
    return entries(list(markdown.read(text.encode(), name)))


def read_html(text: str, name: str = "sivut/index.html") -> dict[str, EntryContent]:
    return entries(list(html.read(text.encode(), name)))


def test_it_works() -> None:
    found = read_md(
        "# Toimitus\n\n## Kauanko kestää?\n\nNoin **2–4** päivää.\n\nHinta\n-----\n\n[5 €](https://k.fi/h)\n"
    )
    assert found.keys() == {"docs/toimitus.md#kauanko-kestaa", "docs/toimitus.md#hinta"}
    price = found["docs/toimitus.md#hinta"]
    assert (price.question, price.answer, price.alternatives) == ("Hinta", "5 € (https://k.fi/h)", ["Toimitus: Hinta"])
    assert found["docs/toimitus.md#kauanko-kestaa"].answer == "Noin 2–4 päivää."


def test_fields_above_the_headings_hold_for_all_of_them() -> None:
    found = read_md("---\ntags: toimitus, hinta\nlanguage: fi\naudience: internal\n---\n# A?\n\nx\n\n# B?\n\ny\n")
    assert {(row.language, row.audience, *row.tags) for row in found.values()} == {
        ("fi", "internal", "toimitus", "hinta")
    }
    assert len(found) == 2


def test_a_text_without_headings_has_the_name_of_its_file() -> None:
    (row,) = read_md("Kyllä voi.", "ohjeet/palautus-ja-vaihto.md").values()
    assert (row.external_id, row.question) == ("ohjeet/palautus-ja-vaihto.md", "palautus ja vaihto")


def test_a_file_with_a_question_is_one_entry_as_it_is_written() -> None:
    (row,) = read_md("---\nquestion: Auki?\nid: hours\n---\n\n# *Klo* 9\n\n- a\n").values()
    assert (row.external_id, row.question, row.answer) == ("hours", "Auki?", "# *Klo* 9\n\n- a")


def test_headings_in_code_are_none_and_equal_ones_are_told_apart() -> None:
    found = read_md("## Hinta\n\n```\n# ei\n```\n\n## Hinta\n\n7 €\n", "a.md")
    assert {id_: row.answer for id_, row in found.items()} == {"a.md#hinta": "# ei", "a.md#hinta-2": "7 €"}


def test_a_bad_field_is_named_with_its_line() -> None:
    rows = list(markdown.read(b"---\nlanguage: sv\n---\n\n# A?\n\nx\n", "a.md"))
    assert [(row.line, row.reason) for row in rows if not isinstance(row, EntryContent)] == [  # type: ignore[union-attr]
        (5, "\"language\" must be 'en' or 'fi'")
    ]
    for text in ("---\na: [\n---\nx", "---\n- a\n---\nx", "---\nid: 1\nid: 2\n---\nx", "---\na: *b\n---\nx"):
        with pytest.raises(UnreadableFile, match="between ---"):
            read_md(text)


def test_no_value_is_guessed_to_be_something_else() -> None:
    fields, body = split("---\nid: 012\na: no\nb: 12:30\nc: 2026-12-24\nd:\n---\nbody")
    assert fields == {"id": "012", "a": "no", "b": "12:30", "c": "2026-12-24", "d": None}
    assert body == "body"


@given(st.dictionaries(st.sampled_from(["id", "question", "tags"]), TEXTS | st.lists(TEXTS), min_size=1), TEXTS)
@settings(deadline=None)
def test_fields_read_as_they_were_written(fields: dict[str, Any], body: str) -> None:
    again, rest = split(joined(fields, body))
    assert again == fields
    assert rest == f"\n{body}\n"


PAGE = """<html lang="fi"><head><title>Toimitus | Kauppa</title><link rel="canonical" href="https://k.fi/t"></head><body>
<header>Kauppa</header><nav><h2>Valikko</h2>linkit</nav><main><h1>Toimitus</h1>
<h2 id="kesto">Kauanko toimitus kestää?</h2><p>Noin <b>2</b>&ndash;4 päi&shy;vää, katso <a href="/h">hinnat</a>
<a href="javascript:alert(1)">x</a></p><script>alert(1)</script><style>p{}</style>
<h2>Hinta</h2><ul><li>Postiin <del>9 €</del> 5 €<li>Kotiin 9 €</ul>
<table><tr><th>Maa<th>Aika</tr><tr><td>Suomi<td>2 pv</tr></table>
<details><summary><h3>Voinko palauttaa?</h3></summary><h4>Kyllä</h4><p>30 päivää.</p></details>
<dl><dt>Auki?<dd>9&#8211;17</dl><h2><button>Nappi?</button></h2>
<div hidden>Vastaus.</div></main><footer>alas</footer>"""


def test_a_page() -> None:
    found = read_html(PAGE)
    answers = {row.question: row.answer for row in found.values()}
    assert answers == {
        "Kauanko toimitus kestää?": "Noin 2–4 päivää, katso hinnat (https://k.fi/h) x",
        "Hinta": "- Postiin 5 €\n- Kotiin 9 €\n\nMaa | Aika\nSuomi | 2 pv",
        "Voinko palauttaa?": "Kyllä\n\n30 päivää.",
        "Auki?": "9–17",
        "Nappi?": "Vastaus.",
    }
    first = found["sivut/index.html#kauanko-toimitus-kestaa"]
    assert (first.url, first.language) == ("https://k.fi/t#kesto", "fi")


def test_what_a_page_declares_comes_first() -> None:
    question = {
        "@type": "Question",
        "name": "Paljonko <b>maksaa</b>?",
        "acceptedAnswer": {"@type": "Answer", "text": "<p>5 €<script>x</script></p>"},
    }
    declared = json.dumps({"@graph": [{"@type": ["WebPage", "FAQPage"], "mainEntity": [question]}]})
    found = read_html(
        f'<script type="application/ld+json">{declared}</script><h1>Muu</h1>teksti'.replace(
            "</script></p>", "<\\/script></p>"
        )
    )
    assert [(row.question, row.answer) for row in found.values()] == [("Paljonko maksaa?", "5 €")]
    broken = read_html('<script type="application/ld+json">{"@type": </script><h1>Muu?</h1>teksti')
    assert [row.answer for row in broken.values()] == ["teksti"]


def test_a_page_that_says_the_wrong_language_of_itself() -> None:
    (row,) = read_html('<html lang="en"><h1>Kuinka palautan tuotteen?</h1>Voit palauttaa tuotteen postissa.').values()
    assert row.language == "fi"


def test_pages_that_would_take_for_ever_are_turned_away() -> None:
    for text in ("<div>" * 100_000, "<b><p>" * 100_000, "x" * (5 << 20)):
        with pytest.raises(UnreadableFile, match=r"\.$"):
            read_html(text)


@given(TEXTS)
@settings(deadline=None)
def test_only_text_comes_out(text: str) -> None:
    assert "alert(1)" not in text_of(f"<p title='{text}'>a<script>alert(1)</script><img onerror='alert(1)'>")
    try:
        text_of(text)
    except UnreadableFile as error:
        assert str(error).endswith(".")  # noqa: PT017


@given(st.binary(max_size=300), st.sampled_from([b"", b"---\n", b"<html>", b'<script type="application/ld+json">']))
@settings(deadline=None)
def test_any_bytes_are_answered(data: bytes, start: bytes) -> None:
    for read in (markdown.read, html.read):
        try:
            list(read(start + data, "name"))
        except UnreadableFile as error:
            assert str(error).strip()  # noqa: PT017
