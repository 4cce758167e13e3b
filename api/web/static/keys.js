// Every road of the inbox by keyboard. Single letters work only outside fields; Ctrl+Enter works everywhere.

const help = document.getElementById("keys");
const rows = () => [...document.querySelectorAll("#queue .row")];

function step(by) {
  const all = rows();
  if (!all.length) return;
  const focused = all.indexOf(document.activeElement);
  const at = focused >= 0 ? focused : all.findIndex((row) => row.getAttribute("aria-current") === "page");
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  // Beside an open conversation the list may be out of sight: then the next conversation itself is opened.
  if (next.offsetParent === null) next.click();
  else next.focus();
}

function open(id) {
  const details = document.getElementById(id);
  if (!details) return;
  details.open = !details.open;
  if (details.open) details.querySelector("textarea, input:not([type=hidden])")?.focus();
  else details.querySelector("summary").focus();
}

function focus(id) {
  document.getElementById(id)?.focus();
}

const actions = {
  j: () => step(1),
  k: () => step(-1),
  e: () => open("edit"),
  n: () => open("another"),
  r: () => open("reject"),
  s: () => focus("reply"),
  u: () => document.getElementById("back")?.click(),
  "/": () => focus("search"),
  "?": () => help.showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=radio], [type=checkbox]), textarea, select");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    const button = document.getElementById("approve-button");
    if (button && !button.disabled) button.form.requestSubmit(button);
    return;
  }
  if (help.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && typing) {
    event.target.blur();
    return;
  }
  if (typing) return;
  const inList = event.target.closest?.("#queue");
  if (inList && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    step(event.key === "ArrowDown" ? 1 : -1);
    return;
  }
  const action = actions[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});

document.querySelector("#queue [aria-current=page]")?.scrollIntoView({ block: "nearest" });
document.getElementById("show-keys")?.addEventListener("click", () => help.showModal());
