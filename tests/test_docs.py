"""The documents say what the program does: links lead somewhere, and no module, setting or command goes unmentioned."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from api.cli import app
from assistant.settings import Settings

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    relative = [link for link in links if not link.startswith(("http:", "https:", "mailto:"))]
    assert [link for link in relative if not (document.parent / link).exists()] == []


def test_readme_names_every_module() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    modules = [
        path.relative_to(ROOT).as_posix()
        for package in ("models", "knowledge", "assistant", "api")
        for path in sorted((ROOT / package).glob("*.py"))
        if path.name != "__init__.py"
    ]
    assert modules
    assert [module for module in modules if Path(module).name not in readme] == []


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`ASPA_{name.upper()}`" not in text] == []


def test_no_setting_is_invented() -> None:
    documented = set(re.findall(r"`ASPA_([A-Z_]+)`", (ROOT / "docs/configuration.md").read_text(encoding="utf-8")))
    assert documented == {name.upper() for name in Settings.model_fields}


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    commands = list(_commands(get_command(app), "aspa"))
    assert "aspa demo" in commands
    assert [command for command in commands if f"`{command}" not in text] == []


def test_every_decision_has_the_same_parts() -> None:
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert records
    for record in records:
        assert re.findall(r"^## (.+)$", record.read_text(encoding="utf-8"), re.MULTILINE) == [
            "Why",
            "Decision",
            "What follows",
        ], record.name


def test_the_changelog_knows_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{version}]" in changelog


def _commands(command: object, name: str) -> list[str]:
    """Return the full names of all commands that do something, groups excepted."""
    inner: dict[str, object] = getattr(command, "commands", {})
    if not inner:
        return [name]
    return [found for key, value in inner.items() for found in _commands(value, f"{name} {key}")]
