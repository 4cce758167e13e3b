"""The pages of the knowledge in a real Chromium: what only a browser can show.

Every page that a test opens is watched: a script error, a refused resource or a broken policy fails the test.
"""

import re
import shutil
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from sqlalchemy import update

from api.app import create_app
from assistant import import_jobs
from assistant.runtime import Runtime
from assistant.tables import Agent
from knowledge import entries, labelled
from knowledge.entries import EntryContent
from tests.knowledge_stages import a_maintainer, an_entry, cleared, indexed
from tests.web_stages import EMAIL, PASSWORD

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update"
)
REFUSED = re.compile("status of (403|404|409|422)")  # what the page itself explains


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or another that is installed."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("There is no Chromium here: on Debian, apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split(), timeout=180_000)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(maintained: Runtime) -> Iterator[str]:
    """Where the pages are served."""
    with maintained.sessions.begin() as session:
        a_maintainer(session)
    server = uvicorn.Server(
        uvicorn.Config(create_app(maintained), port=0, log_config=None, lifespan="on", timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def runtime(maintained: Runtime) -> Runtime:
    """The runtime, before anything is known, and with Aino's pages in English."""
    cleared(maintained)
    with maintained.sessions.begin() as session:
        session.execute(update(Agent).values(language="en"))
    return maintained


@pytest.fixture
def context(chromium: Browser, address: str) -> Iterator[BrowserContext]:
    """A fresh browser profile whose pages are watched."""
    complaints: list[str] = []

    def told(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not REFUSED.search(message.text):
            complaints.append(message.text)

    def watch(page: Page) -> None:
        page.on("console", told)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"A dialog opened: {dialog.message}"))

    with chromium.new_context(base_url=address, viewport={"width": 1280, "height": 900}) as context:
        context.on("page", watch)
        context.set_default_timeout(60_000)
        yield context
        assert complaints == []


@pytest.fixture
def page(context: BrowserContext, runtime: Runtime) -> Page:
    """A page on which the maintainer Aino is signed in."""
    page = context.new_page()
    page.goto("/knowledge")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/knowledge$"))
    return page


def test_it_works(page: Page, runtime: Runtime) -> None:
    """Write an entry by keyboard, see what it changes, publish it, ask as a customer, edit, retire."""
    page.get_by_role("link", name="New entry").press("Enter")
    page.get_by_label("Question", exact=True).fill("When do you open?")
    page.get_by_label("Answer", exact=True).fill("At nine every day.")
    page.get_by_role("button", name="See what this changes").press("Enter")
    expect(page.get_by_role("heading", name="What this changes")).to_be_focused()
    page.get_by_role("button", name="Publish").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Added.")
    indexed(runtime)
    page.get_by_role("link", name="Entries", exact=True).click()
    page.get_by_label("Search").fill("When do you open?")
    page.get_by_role("button", name="Ask as a customer would").click()
    page.locator(".match").get_by_role("button", name="This answers it").click()
    expect(page.get_by_text("The test question is kept.")).to_be_visible()
    with runtime.sessions() as session:
        (question,) = labelled.questions(session)
        (entry,) = entries.page(session)
        assert question.relevant == [entry.external_id]
    page.goto(f"/knowledge/entries/{entry.id}")
    page.get_by_role("link", name="Retire").click()
    page.get_by_label("I know that fewer test questions find their entry").check()
    page.get_by_role("button", name="Retire").click()
    expect(page.get_by_text("Retired. The assistant does not use it any more")).to_be_visible()


def test_typed_words_survive_until_they_are_published_or_left(page: Page, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    page.goto(f"/knowledge/entries/{entry.id}/edit")
    page.get_by_label("Answer", exact=True).fill("My own words")
    page.goto("/knowledge")
    page.goto(f"/knowledge/entries/{entry.id}/edit")
    expect(page.get_by_label("Answer", exact=True)).to_have_value("My own words")
    expect(page.locator("#put-back")).to_be_visible()
    page.get_by_role("button", name="Leave them").click()
    expect(page.get_by_label("Answer", exact=True)).to_have_value("Delivery takes 2–4 working days.")
    page.get_by_label("Answer", exact=True).fill("Two days.")
    page.get_by_role("button", name="See what this changes").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published.")).to_be_visible()
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.locator("#put-back")).to_be_hidden()


def test_the_second_maintainer_sees_both_texts(page: Page, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    page.goto(f"/knowledge/entries/{entry.id}/edit")
    page.get_by_label("Answer", exact=True).fill("My own words")
    with runtime.sessions.begin() as session:
        other = entries.get(session, entry.id)
        assert other is not None
        content = EntryContent.model_validate(entries.content_of(other).model_dump() | {"answer": "Pekka's words"})
        entries.revise(session, other, content, author="Pekka")
    page.get_by_role("button", name="See what this changes").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Pekka's words")
    expect(alert).to_contain_text("My own words")
    expect(page.get_by_label("Answer", exact=True)).to_have_value("My own words")
    page.get_by_role("button", name="See what this changes").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published.")).to_be_visible()


def test_an_import_goes_on_by_itself(page: Page, runtime: Runtime) -> None:
    page.goto("/knowledge/import")
    content = b'{"id": "gifts", "question": "Do you sell gift cards?", "answer": "Yes."}\n'
    page.get_by_label("File").set_input_files({"name": "faq.jsonl", "mimeType": "text/plain", "buffer": content})
    page.get_by_role("button", name="Upload and see what it changes").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    number = int(page.url.rpartition("/")[2])
    import_jobs.run(runtime, number)
    expect(page.get_by_role("button", name="Apply the import")).to_be_visible()
    page.get_by_role("button", name="Apply the import").click()
    expect(page.get_by_text("Being applied")).to_be_visible()
    import_jobs.run(runtime, number)
    expect(page.get_by_text("Done. The assistant uses it in a few seconds.")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "fi"])
def test_nothing_sticks_out_and_nothing_is_run(page: Page, runtime: Runtime, language: str) -> None:
    evil = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>‮ evil " + "W" * 3_000
    entry = an_entry(runtime, "evil", evil, evil, url="javascript:window.pwned=1", tags=["W" * 400], owner="W" * 400)
    with runtime.sessions.begin() as session:
        labelled.add(session, evil[:1_900], ["evil"], author="Aino")
    page.locator(f".languages button[value={language}]").click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    here = f"/knowledge/entries/{entry.id}"
    paths = ["", "/new", "/gaps", "/upkeep", "/questions", "/import"]
    for path in [*(f"/knowledge{one}" for one in paths), here, f"{here}/edit", f"{here}/history", f"{here}/retire"]:
        page.goto(path)
        for width in (360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
        assert page.evaluate("window.pwned") is None, path


def test_everything_has_a_name_for_a_screen_reader(page: Page, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    for path in ("", "/new", f"/entries/{entry.id}/edit", "/questions", "/import", "/upkeep", "/gaps"):
        page.goto(f"/knowledge{path}")
        nameless = page.evaluate(
            """[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]
               .filter((one) => !(one.labels?.length || one.textContent.trim() || one.getAttribute('aria-label')))
               .map((one) => one.outerHTML)"""
        )
        assert nameless == [], path
        assert page.locator("h1").count() == 1, path


def test_writing_and_publishing_work_without_scripts(chromium: Browser, address: str, runtime: Runtime) -> None:
    with chromium.new_context(base_url=address, java_script_enabled=False) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/knowledge/new")
        page.get_by_label("E-mail address").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Question", exact=True).fill("When do you open?")
        page.get_by_label("Answer", exact=True).fill("At nine.")
        page.get_by_role("button", name="See what this changes").click()
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_text("Added.")).to_be_visible()
    with runtime.sessions() as session:
        assert entries.count(session) == 1
