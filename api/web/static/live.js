// Keeps the page true without a reload: when the server says that something happened, the page is fetched again and
// its live parts are replaced. What an agent is typing is never touched: see editor.js, which may hold a part back.

const connection = document.getElementById("connection");
const PAUSE = 150;      // ms: several events of one moment give one fetch
const MINUTE = 60_000;  // waiting times grow also when nothing happens

let due = 0;
let fetching = false;
let again = false;

function say(text) {
  if (connection.textContent !== text) connection.textContent = text;
}

// What the server last said of each part. The page itself is no measure: other modules change attributes in it.
const known = new Map();

function replace(old, fresh) {
  const said = fresh.outerHTML;
  if (known.get(fresh.id) === said) return;
  const held = !document.dispatchEvent(
    new CustomEvent("aspa:replace", { detail: { old, fresh }, cancelable: true }),
  );
  if (held) return;
  known.set(fresh.id, said);
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const typed = focused === "search" ? document.activeElement.value : null;
  const scrolled = old.scrollTop;
  const open = [...old.querySelectorAll("details[open]")].map((details) => details.id);
  old.replaceWith(fresh);
  for (const id of open) fresh.querySelector(`#${id}`)?.setAttribute("open", "");
  fresh.scrollTop = scrolled;
  if (typed !== null) fresh.querySelector("#search").value = typed;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  document.dispatchEvent(new CustomEvent("aspa:replaced", { detail: { fresh } }));
}

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(connection.dataset.page, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (new URL(answer.url).pathname === "/sign-in") {
      say(connection.dataset.ended); // not gone to by itself: the agent may be in the middle of a sentence
      return;
    }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const fresh of page.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      if (old) replace(old, document.adoptNode(fresh));
    }
    document.title = page.title;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // else a lost connection: the event source tells and tries again
  } finally {
    fetching = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

function soon() {
  clearTimeout(due);
  due = setTimeout(refresh, PAUSE);
}

function listen() {
  const source = new EventSource(connection.dataset.events);
  source.addEventListener("message", () => {
    say("");
    soon();
  });
  source.addEventListener("error", () => {
    say(connection.dataset.lost);
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    // The server refused: perhaps the session has ended, which the page itself tells.
    soon();
    setTimeout(listen, 5000 + 5000 * Math.random());
  });
}

if (connection) {
  for (const part of document.querySelectorAll("[data-live]")) known.set(part.id, part.outerHTML);
  listen();
  setInterval(() => document.hidden || soon(), MINUTE);
  document.addEventListener("visibilitychange", () => document.hidden || soon());
}
