"""CSV and spreadsheets as people save them: what is understood, and what is turned away with which words."""

import gzip
import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.entries import EntryContent
from knowledge.importers import Rejected, Row, UnreadableFile, csv, tabular, xlsx

SHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"


def workbook(*rows: list[str], sheet: str | None = None, **parts: str) -> bytes:
    """Return an .xlsx of one sheet with these texts in its cells, or with this sheet as it is."""
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for cell in row) + "</row>"
        for row in rows
    )
    book = (
        f'<workbook {SHEET} xmlns:r="{RELATIONS}"><sheets><sheet name="FAQ" sheetId="1" r:id="r1"/></sheets></workbook>'
    )
    relation = '<Relationship Id="r1" Type="{}/{}" Target="{}"/>'
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    content = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}">'
        f'<Default Extension="xml" ContentType="{types}.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}">'
        + relation.format(RELATIONS, "officeDocument", "xl/workbook.xml")
        + "</Relationships>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
        + relation.format(RELATIONS, "worksheet", "worksheets/sheet1.xml")
        + "</Relationships>",
        "xl/workbook.xml": book,
        "xl/worksheets/sheet1.xml": sheet or f"<worksheet {SHEET}><sheetData>{cells}</sheetData></worksheet>",
    } | parts
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return packed.getvalue()


def read_csv(data: bytes, name: str = "faq.csv") -> list[Row]:
    return list(csv.read(io.BytesIO(data), name))


def read_xlsx(data: bytes) -> list[Row]:
    return list(xlsx.read(io.BytesIO(data), "faq.xlsx"))


def entry(rows: list[Row]) -> EntryContent:
    (row,) = rows
    assert isinstance(row, EntryContent), row
    return row


def test_it_works() -> None:
    row = entry(read_csv(b'id,question,answer,tags\n1,Open?,"At 9,\ndaily.","a, b"\n'))
    assert (row.kind, row.external_id, row.question, row.answer, row.tags) == (
        "faq",
        "1",
        "Open?",
        "At 9,\ndaily.",
        ["a", "b"],
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("sign", [";", ",", "\t"])
def test_what_a_finnish_spreadsheet_saves(encoding: str, sign: str) -> None:
    lines = [
        sign.join(("Tunnus", "Kysymys", "Vastaus", "Kieli", "Voimassa asti")),
        sign.join(("7", "Mitä maksaa?", '"Sää""stö: 9€"', "suomi", "24.12.2026")),
    ]
    row = entry(read_csv("\r\n".join(lines).encode(encoding)))
    assert (row.external_id, row.question, row.answer, row.language) == ("7", "Mitä maksaa?", 'Sää"stö: 9€', "fi")
    assert row.valid_until is not None
    assert row.valid_until.isoformat() == "2026-12-25T00:00:00+00:00"


def test_past_replies() -> None:
    row = entry(read_csv("tunnus;asiakas;vastaus\nr1;Missä?;Matkalla.\n".encode()))
    assert (row.kind, row.question, row.answer) == ("past_reply", "Missä?", "Matkalla.")
    both = read_csv(b"kind,id,question,answer\nfaq,1,Q,A\npast_reply,1,Q,A\nsong,2,Q,A\n")
    assert [row.kind for row in both if isinstance(row, EntryContent)] == ["faq", "past_reply"]
    assert both[2] == Rejected(4, '"kind" must be faq or past_reply', unit="row")


def test_ids_are_made_where_there_are_none_and_stay() -> None:
    first, again = (entry(read_csv(f"question,answer\nOpen  now?,{answer}\n".encode())) for answer in ("Yes.", "No."))
    assert first.external_id == again.external_id
    assert first.external_id.startswith("faq.csv#open-now-")


def test_bad_rows_are_named_by_their_number_in_the_spreadsheet() -> None:
    data = b'id,question,answer\n1,"two\nlines",A\n\n2,Q\n3,"x" y,A\n1,Q,A\n4,Q,A\n5,"never,closed\n'
    rows = read_csv(data)
    assert [row.external_id for row in rows if isinstance(row, EntryContent)] == ["1", "4"]
    said = {row.line: row.reason for row in rows if isinstance(row, Rejected)}
    assert said.keys() == {4, 5, 6, 8}
    assert said[4] == '"answer" missing'
    assert "quotation mark" in said[5]
    assert said[6] == '"id" stood already on row 2'
    assert "never closed" in said[8]


def test_a_line_of_ten_megabytes_does_not_stop_the_others() -> None:
    rows = read_csv(b"id,question,answer\n1,Q," + b"x" * 10_000_000 + b"\n2,Q,A\n")
    assert rows[0] == Rejected(2, "longer than 1,048,576 characters", unit="row")
    assert entry(rows[1:]).external_id == "2"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"name,price\na,1\n", "found: name, price; needs: question and answer"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no text"),
        (b"id,question,answer\n1,\x81\x8d,\xe4\n", "no text"),
        (gzip.compress(b"id,question,answer\n" * 999)[:-9], "cut short"),
    ],
)
def test_files_that_are_no_csv(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read_csv(data)


@given(st.text())
@settings(deadline=None)
def test_no_cell_is_a_formula_and_each_reads_as_it_was(text: str) -> None:
    cell = tabular.harmless(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    assert tabular.as_written(cell) == text


@given(st.lists(st.text(min_size=1)), st.sampled_from(sorted(tabular.LISTS)))
@settings(deadline=None)
def test_lists_in_a_cell_read_as_they_were(items: list[str], field: str) -> None:
    separators = tabular.LISTS[field]
    cell = tabular.list_cell(items, separators)
    assert tabular._list(cell, separators) == items


def test_a_workbook() -> None:
    row = entry(read_xlsx(workbook(["Kysymys", "Vastaus", "Kieli"], ["Auki?", "Klo 9–17 <joka päivä>", "FI"])))
    assert (row.question, row.answer, row.language) == ("Auki?", "Klo 9–17 <joka päivä>", "fi")


def test_numbers_and_days_in_a_workbook_read_as_people_write_them() -> None:
    sheet = (
        f'<worksheet {SHEET}><sheetData><row r="1">'
        + "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in ("id", "question", "answer"))
        + '</row><row r="3"><c><v>12</v></c><c t="inlineStr"><is><t>Q</t></is></c><c><v>9.9</v></c></row>'
        + "</sheetData></worksheet>"
    )
    row = entry(read_xlsx(workbook(sheet=sheet)))
    assert (row.external_id, row.answer) == ("12", "9.9")


def test_rows_of_a_workbook_are_counted_as_they_are_shown() -> None:
    rows = read_xlsx(workbook(["id", "question", "answer"], ["1", "Q", "A"], ["2", "", "A"]))
    assert rows[1] == Rejected(3, '"question" missing', unit="row")


def bomb(cell: str) -> bytes:
    return workbook(sheet=f"<worksheet {SHEET}><sheetData>{cell}</sheetData></worksheet>")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"question,answer\nQ,A\n", "no Excel workbook"),
        (workbook(["question", "answer"])[:-30], "damaged"),
        (workbook(["name"], ["x"]), "found: name"),
        (bomb('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), "reaches to row 1,048,576"),
        (bomb("<row r='1048576'>" + "<c/>" * 16_000 + "</row>"), "reaches to row 1,048,576"),
        (workbook(**{"xl/worksheets/sheet2.xml": "0" * (xlsx.MAX_UNPACKED + 1)}), "unpacks to more than 256 MiB"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, r"\.xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password"),
    ],
    ids=["csv", "cut", "columns", "far cell", "far row", "zip bomb", "xls", "password"],
)
def test_workbooks_that_are_turned_away(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read_xlsx(data)


def test_a_workbook_that_lies_about_its_size_is_turned_away() -> None:
    data = bytearray(workbook(**{"xl/x.xml": "0" * (xlsx.MAX_UNPACKED + 1)}))
    size = (xlsx.MAX_UNPACKED + 1).to_bytes(4, "little")
    at = data.find(size)
    while at >= 0:
        data[at : at + 4] = (10).to_bytes(4, "little")
        at = data.find(size)
    with pytest.raises(UnreadableFile, match=r"damaged|unpacks"):
        read_xlsx(bytes(data))


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_answered(data: bytes) -> None:
    for read in (read_csv, read_xlsx):
        try:
            assert all(row is not None for row in read(data))
        except UnreadableFile as error:
            assert str(error).strip()  # noqa: PT017 (both ways out are right)


@given(st.data())
@settings(deadline=None)
def test_any_damage_to_a_workbook_is_answered(data: st.DataObject) -> None:
    whole = bytearray(workbook(["question", "answer"], ["Q", "A"]))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=5)):
        whole[at] = data.draw(st.integers(0, 255))
    try:
        read_xlsx(bytes(whole))
    except UnreadableFile as error:
        assert str(error).strip()  # noqa: PT017


def test_a_file_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(gzip.compress(b"id,question,answer\n1,Q,A\n"))
    assert entry(list(csv.read(path, path.name))).external_id == "1"
