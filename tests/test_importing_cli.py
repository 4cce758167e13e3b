"""`aspa knowledge import`, `export` and `sync`, as somebody types them."""

from pathlib import Path

from tests.test_cli import environment, run, run_json  # noqa: F401 (a fixture that is used by itself)

CSV = "id,question,answer\n1,Open?,At nine.\n2,Price?,9 euros.\n"


def test_it_works(tmp_path: Path) -> None:
    file, folder = tmp_path / "faq.csv", tmp_path / "folder"
    file.write_text(CSV)
    seen = run("knowledge", "import", file, "--preview")
    assert "2 added" in seen
    assert "nothing was changed" in seen
    assert run_json("knowledge", "list") == []
    assert run_json("knowledge", "import", file)["added"] == 2
    file.write_text(CSV.rpartition("2,")[0])
    assert run("knowledge", "import", file) == "0 added, 0 changed, 1 unchanged.\n"
    assert "1 retired" in run("knowledge", "import", file, "--retire-missing")
    assert run_json("knowledge", "export", folder, "--format", "markdown")["written"] == ["1.md"]
    assert run("knowledge", "sync", folder, "--check").startswith("0 added, 0 changed, 1 unchanged.")
    page = folder / "1.md"
    page.write_text(page.read_text().replace("nine", "ten"))
    assert "differ" in run("knowledge", "sync", folder, "--check", status=1)
    assert run_json("knowledge", "sync", folder)["changed"] == 1
    assert run_json("knowledge", "show", "1")["answer"] == "At ten."
    copy = tmp_path / "copy.csv"
    assert run_json("knowledge", "export", copy)["entries"] == 1
    assert run_json("knowledge", "import", copy)["unchanged"] == 1


def test_refuses(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\x89PNG\0\0")
    assert "binary" in run("knowledge", "import", tmp_path / "a.csv", status=1)
    assert "no folder" in run("knowledge", "sync", tmp_path / "nowhere", status=1)
    assert "past replies" in run(
        *("knowledge", "export", tmp_path / "x", "--format", "markdown", "--kind", "past_reply"), status=2
    )
    assert "--prune" in run("knowledge", "export", tmp_path / "x.jsonl", "--prune", status=2)
