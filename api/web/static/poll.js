// Shows how far something slow has come: while the page has a part with data-poll (milliseconds), the page is fetched
// again and that part is replaced. Without a script the part holds a link that does the same.

const part = () => document.querySelector("[data-poll]");

async function look() {
  const old = part();
  if (!old) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (answer.ok && new URL(answer.url).pathname === location.pathname) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(old.id);
      if (fresh && fresh.outerHTML !== old.outerHTML) {
        const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
        old.replaceWith(document.adoptNode(fresh));
        if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      }
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
