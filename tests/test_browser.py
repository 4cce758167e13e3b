"""The inbox in a real Chromium: what only a browser can show.

Every page that a test opens is watched: a script error, a refused resource or a broken policy fails the test.
"""

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from api.app import create_app
from assistant import conversations, decisions
from assistant.decisions import fingerprint
from assistant.jobs import run_worker
from assistant.runtime import Runtime
from assistant.tables import Channel, Conversation
from tests.api_stages import opened
from tests.receiver import Receiver
from tests.stages import a_channel, a_conversation, a_message, an_agent
from tests.web_stages import EMAIL, PASSWORD, an_agent_with_password, cited

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update"
)
REFUSED = re.compile("status of (404|409|422)")  # what the page itself explains


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or another that is installed."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("There is no Chromium here: on Debian, apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with opened(database_url, tmp_path, debounce_seconds=0) as runtime:
        with runtime.sessions.begin() as session:
            an_agent_with_password(session).language = "en"
        yield runtime


@pytest.fixture
def address(runtime: Runtime) -> Iterator[str]:
    """Where the pages are served."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(runtime), port=0, log_config=None, lifespan="on", timeout_graceful_shutdown=5)
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

    with chromium.new_context(base_url=address, viewport={"width": 1440, "height": 900}) as context:
        context.on("page", watch)
        context.set_default_timeout(20_000)
        yield context
        assert complaints == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page on which Aino is signed in."""
    page = context.new_page()
    sign_in(page)
    return page


def sign_in(page: Page) -> None:
    page.goto("/inbox")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    arrived(page, "/inbox$")


def arrived(page: Page, address: str) -> None:
    """Wait until the page at this address has loaded, scripts included."""
    expect(page).to_have_url(re.compile(address))
    page.wait_for_load_state()


def a_cited_conversation(runtime: Runtime, text: str = "Kauanko toimitus kestää?", **details: str) -> Conversation:
    """A customer's message with a draft that waits for a decision."""
    with runtime.sessions.begin() as session:
        channel = session.query(Channel).first() or a_channel(session)
        conversation = a_conversation(session, channel, text, **details)
        cited(session, conversation)
        return conversation


def write_more(runtime: Runtime, conversation: Conversation, text: str) -> None:
    """The customer writes again."""
    with runtime.sessions.begin() as session:
        conversations.receive(session, conversations.get(session, conversation.id).channel, a_message(text))


@pytest.fixture
def worker(runtime: Runtime) -> Iterator[None]:
    """A real worker with stand-ins for the models."""
    stop = threading.Event()
    thread = threading.Thread(target=run_worker, args=(runtime,), kwargs={"stop": stop})
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("worker")
def test_it_works(page: Page, runtime: Runtime) -> None:
    """Sign in → the message and its draft appear live → edit → approve with Ctrl+Enter → delivered."""
    expect(page.get_by_text("Everyone has been answered.")).to_be_visible()
    with Receiver() as receiver:
        with runtime.sessions.begin() as session:
            a_conversation(session, a_channel(session, url=receiver.url), "When do you open on Saturdays?")
        page.get_by_role("link", name="Anna Virtanen").click()
        arrived(page, "/inbox/[0-9]+$")
        expect(page.get_by_role("log")).to_contain_text("When do you open on Saturdays?")
        reply = page.get_by_role("group", name="Suggested reply")
        expect(reply).to_be_visible()
        page.keyboard.press("e")
        editor = page.get_by_label("Text to send")
        expect(editor).to_be_focused()
        editor.fill("Hello Anna! We open at nine.")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#sent")).to_contain_text("delivered")
        assert [b"We open at nine." in request.body for request in receiver.requests] == [True]


def test_the_whole_road_by_keyboard_alone(context: BrowserContext, runtime: Runtime) -> None:
    first = a_cited_conversation(runtime, customer_id="first")
    second = a_cited_conversation(runtime, "Onko teillä luomukahvia?", customer_id="second")
    page = context.new_page()
    page.goto("/inbox")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type(EMAIL)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    arrived(page, "/inbox$")
    expect(page.locator(".row")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"#conversation-{second.id}")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    arrived(page, f"/inbox/{first.id}$")
    # The sentences and their sources
    page.keyboard.press("s")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#sentence-2")).to_be_focused()
    expect(page.locator("#source-1")).to_have_class(re.compile("lit"))
    page.keyboard.press("ArrowDown")
    expect(page.locator("#source-1")).not_to_have_class(re.compile("lit"))
    # A fact without a source needs a tick
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("checkbox")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    arrived(page, rf"/inbox/{second.id}\?sent=")
    expect(page.locator("#sent")).to_contain_text("waiting to be sent")
    # Reject with a reason
    page.keyboard.press("r")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator(".no-draft")).to_contain_text("The facts are wrong")
    arrived(page, f"/inbox/{second.id}$")
    # Another draft, the keys, and back to the list
    page.keyboard.press("n")
    page.keyboard.type("shorter?")
    page.keyboard.press("Enter")
    expect(page.locator(".no-draft")).to_contain_text("being written")
    arrived(page, f"/inbox/{second.id}$")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    arrived(page, "/inbox$")
    page.keyboard.press("/")
    page.keyboard.type("luomu")
    page.keyboard.press("Enter")
    expect(page.locator(".row")).to_have_count(1)


def test_sentences_and_sources_light_each_other_up(page: Page, runtime: Runtime) -> None:
    page.goto(f"/inbox/{a_cited_conversation(runtime).id}")
    page.hover("#sentence-2")
    expect(page.locator("#source-1")).to_have_class(re.compile("lit"))
    page.hover("#draft-title")
    expect(page.locator(".lit")).to_have_count(0)
    page.hover("#source-1")
    expect(page.locator("#sentence-2")).to_have_class(re.compile("lit"))
    expect(page.locator("#sentence-3 .doubt")).to_have_text("no source")


def test_the_tick_is_asked_for_only_while_the_fact_is_in_the_text(page: Page, runtime: Runtime) -> None:
    conversation = a_cited_conversation(runtime)
    page.goto(f"/inbox/{conversation.id}")
    page.keyboard.press("e")
    page.get_by_label("Text to send").fill("Se maksaa 19,90 €.")
    expect(page.get_by_role("checkbox")).to_be_hidden()
    page.get_by_label("Text to send").fill("Se maksaa 9,90 €.")
    expect(page.get_by_role("checkbox")).to_be_visible()


def test_what_is_being_edited_is_never_overwritten(page: Page, runtime: Runtime) -> None:
    conversation = a_cited_conversation(runtime)
    page.goto(f"/inbox/{conversation.id}")
    page.keyboard.press("e")
    editor = page.get_by_label("Text to send")
    editor.fill("My own words")
    write_more(runtime, conversation, "Ja paljonko se maksaa?")
    expect(page.get_by_role("log")).to_contain_text("Ja paljonko se maksaa?")
    expect(page.locator("#overtaken")).to_be_visible()
    expect(editor).to_have_value("My own words")
    page.reload()  # while the new draft is being written
    expect(page.locator(".no-draft")).to_be_visible()
    with runtime.sessions.begin() as session:
        cited(session, conversation)
    expect(page.get_by_role("group", name="Suggested reply")).to_be_visible()


def test_the_agents_words_are_taken_along_to_the_newer_draft(page: Page, runtime: Runtime) -> None:
    conversation = a_cited_conversation(runtime)
    page.goto(f"/inbox/{conversation.id}")
    page.keyboard.press("e")
    editor = page.get_by_label("Text to send")
    editor.fill("My own words")
    write_more(runtime, conversation, "Ja paljonko se maksaa?")
    with runtime.sessions.begin() as session:
        cited(session, conversation)
    page.get_by_role("button", name="Show what is new and keep my text").click()
    expect(editor).to_have_value("My own words")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#sent")).to_contain_text("Reply to Anna Virtanen")
    page.goto(f"/inbox/{conversation.id}")
    expect(page.locator(".message-outgoing")).to_contain_text("My own words")


def test_a_stale_approval_keeps_the_words_and_the_new_draft_takes_them(page: Page, runtime: Runtime) -> None:
    conversation = a_cited_conversation(runtime)
    page.goto(f"/inbox/{conversation.id}")
    page.route("**/inbox/events", lambda route: route.fulfill(status=204))
    page.keyboard.press("e")
    page.get_by_label("Text to send").fill("My own words")
    write_more(runtime, conversation, "Ja paljonko se maksaa?")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("moved on while you were reading")
    expect(page.get_by_label("Your text, not sent")).to_have_value("My own words")
    page.unroute_all()
    with runtime.sessions.begin() as session:
        cited(session, conversation)
    expect(page.get_by_label("Text to send")).to_have_value("My own words", timeout=30_000)


def test_another_agents_decision_appears_and_the_words_stay(page: Page, runtime: Runtime) -> None:
    conversation = a_cited_conversation(runtime)
    page.goto(f"/inbox/{conversation.id}")
    page.keyboard.press("e")
    page.get_by_label("Text to send").fill("My own words")
    with runtime.sessions.begin() as session:
        draft = conversations.current_draft(session, conversation)
        assert draft is not None
        decisions.approve(session, draft, agent=an_agent(session, "Pekka"), fingerprint=fingerprint(draft))
    expect(page.locator(".message-outgoing")).to_contain_text("Pekka")
    expect(page.get_by_label("Text to send")).to_have_value("My own words")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Pekka was first")
    expect(page.get_by_label("Your text, not sent")).to_have_value("My own words")


def test_words_survive_a_reload(page: Page, runtime: Runtime) -> None:
    page.goto(f"/inbox/{a_cited_conversation(runtime).id}")
    page.keyboard.press("e")
    page.get_by_label("Text to send").fill("My own words")
    page.reload()
    expect(page.get_by_label("Text to send")).to_have_value("My own words")
    expect(page.get_by_label("Text to send")).to_be_visible()


def test_a_page_left_open_tells_that_the_session_has_ended_and_keeps_the_words(page: Page, runtime: Runtime) -> None:
    conversation = a_cited_conversation(runtime)
    page.goto(f"/inbox/{conversation.id}")
    page.keyboard.press("e")
    page.get_by_label("Text to send").fill("My own words")
    page.context.clear_cookies()
    write_more(runtime, conversation, "Ja paljonko se maksaa?")
    expect(page.get_by_text("You have been signed out.")).to_be_visible()
    expect(page.get_by_label("Text to send")).to_have_value("My own words")


def test_hostile_customers_are_inert(page: Page, runtime: Runtime) -> None:
    text = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>‮ evil " + "W" * 10_000
    conversation = a_cited_conversation(runtime, text, name="<b onmouseover='window.pwned=1'>Name</b>")
    for path in ("/inbox", f"/inbox/{conversation.id}"):
        page.goto(path)
        expect(page.get_by_text("<b onmouseover").first).to_be_visible()
        assert page.evaluate("window.pwned") is None
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("language", ["en", "fi"])
@pytest.mark.parametrize("width", [400, 768, 1440])
def test_nothing_sticks_out(page: Page, runtime: Runtime, width: int, language: str) -> None:
    conversation = a_cited_conversation(runtime)
    page.set_viewport_size({"width": width, "height": 800})
    page.locator(f".languages button[value={language}]").click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    for path in ("/inbox", f"/inbox/{conversation.id}", "/inbox?status=closed", "/nowhere"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.goto(f"/inbox/{conversation.id}")
    button = page.locator("#approve-button").bounding_box()
    assert button is not None
    assert button["y"] + button["height"] <= 800  # in sight without scrolling, at every width


def test_reading_and_approving_work_without_scripts(chromium: Browser, address: str, runtime: Runtime) -> None:
    conversation = a_cited_conversation(runtime)
    with chromium.new_context(base_url=address, java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page)
        page.get_by_role("link", name="Anna Virtanen").click()
        page.get_by_text("Edit", exact=True).click()
        page.get_by_label("Text to send").fill("Two to four days.")
        page.get_by_role("button", name="Approve and send").click()
        expect(page.locator("#sent")).to_contain_text("waiting to be sent")
    with runtime.sessions() as session:
        assert conversations.get(session, conversation.id).messages[-1].text == "Two to four days."
