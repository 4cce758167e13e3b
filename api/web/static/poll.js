// Shows how far something slow has come: while the page has a part with data-poll (milliseconds), the page is fetched
// again and its parts with data-fresh are replaced. A part with the role of a status only gets new words, so that
// screen readers say them. Without a script a link on the page does the same.

const part = () => document.querySelector("[data-poll]");

function renew(old, fresh) {
  if (!fresh || fresh.outerHTML === old.outerHTML) return;
  if (old.getAttribute("role") === "status") {
    old.replaceChildren(...document.adoptNode(fresh).childNodes);
    return;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(document.adoptNode(fresh));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function look() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (answer.ok && new URL(answer.url).pathname === location.pathname) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-fresh]")) renew(old, page.getElementById(old.id));
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // else a lost connection: the next look may have more luck
  }
  wait();
}

function wait() {
  const milliseconds = Number(part()?.dataset.poll);
  if (milliseconds) setTimeout(look, milliseconds);
}

wait();
