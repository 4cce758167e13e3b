// Guards what an agent types: it survives a reload, a lost session and a newer draft; the acknowledgement is asked for
// only while the facts that need it are still in the text.

const PREFIX = "aspa:edit:";

let pending = null; // a newer draft that waits behind words being edited

const field = () => document.getElementById("text");
const edited = (text) => text && text.value !== text.dataset.original;
const key = (text) => PREFIX + text.form.elements.draft_id.value;

function contains(text, fact) {
  const literal = fact.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])`, "u").test(text);
}

function askForAcknowledgement(text) {
  const box = document.getElementById("acknowledge");
  if (!box) return;
  const facts = [...box.querySelectorAll("mark")].map((mark) => mark.textContent);
  const needed = facts.some((fact) => contains(text.value, fact));
  box.hidden = !needed;
  box.querySelector("input").required = needed;
}

function prepare() {
  const text = field();
  if (!text) return;
  const kept = sessionStorage.getItem(key(text));
  if (kept !== null && !edited(text)) {
    text.value = kept;
    if (edited(text)) document.getElementById("edit").open = true;
  }
  askForAcknowledgement(text);
}

document.addEventListener("input", (event) => {
  const text = field();
  if (event.target !== text) return;
  if (edited(text)) sessionStorage.setItem(key(text), text.value);
  else sessionStorage.removeItem(key(text));
  askForAcknowledgement(text);
});

document.addEventListener("toggle", (event) => {
  if (event.target.id === "edit" && event.target.open) field().focus();
}, true);

// A part with unsaved words in it is held back, and the agent is told that there is something newer.
document.addEventListener("aspa:replace", (event) => {
  const { old, fresh } = event.detail;
  if (old.id !== "draft") return;
  const busy = edited(field()) || (old.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"));
  if (!busy) return;
  event.preventDefault();
  if (old.dataset.version !== fresh.dataset.version) {
    pending = fresh;
    const told = document.getElementById("overtaken");
    if (told) {
      told.hidden = false;
      // Where nothing can be approved any more (somebody else was first), the words stay where they are.
      document.getElementById("take-new").hidden = !fresh.querySelector("#text");
      document.getElementById("edit").open = true;
    }
  }
});

document.addEventListener("click", (event) => {
  if (event.target.id !== "take-new" || !pending) return;
  const words = field().value;
  document.getElementById("draft").replaceWith(pending);
  pending = null;
  carry(words);
});

// Puts the agent's words into the editor of a newer draft.
function carry(words) {
  const text = field();
  text.value = words;
  sessionStorage.setItem(key(text), words);
  document.getElementById("edit").open = true;
  prepare();
}

document.addEventListener("aspa:replaced", (event) => {
  if (event.detail.fresh.id !== "draft") return;
  // After a conflict the words stand outside the draft, until there is a new one to put them into.
  const kept = document.getElementById("kept-text");
  if (kept && field()) {
    carry(kept.value);
    kept.removeAttribute("id");
  } else {
    prepare();
  }
});

document.addEventListener("submit", (event) => {
  if (event.target.id === "sign-out") sessionStorage.clear();
  // One click, one reply: the server refuses the second too, but need not be asked.
  for (const button of document.querySelectorAll(`button[form="${event.target.id}"]`)) button.disabled = true;
});

// Coming back by the history finds the button as it was left.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
});

prepare();
