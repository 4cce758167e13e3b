// Keeps what a maintainer types into a long form: it survives a reload, a lost session and a closed tab, until it is
// published or left on purpose. A form names its place with data-keep; data-put-back says that the server knows of no
// newer words. The revision is kept with the words, so that the server sees when somebody else was faster.

const PREFIX = "aspa:keep:";
const form = document.querySelector("form[data-keep]");
const place = form && PREFIX + form.dataset.keep;

function fields() {
  return [...form.elements].filter((field) => field.name && field.type !== "submit" && field.name !== "csrf_token"
    && field.name !== "previewed" && field.name !== "confirmed");
}

function keep() {
  const typed = {};
  for (const field of fields()) {
    if (field.type === "radio" && !field.checked) continue;
    typed[field.name] = field.value;
  }
  try {
    sessionStorage.setItem(place, JSON.stringify(typed));
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error; // the words are in the form still
  }
}

function putBack() {
  const typed = JSON.parse(sessionStorage.getItem(place) ?? "{}");
  let changed = false;
  for (const field of fields()) {
    const value = typed[field.name];
    if (value === undefined) continue;
    if (field.type === "radio") {
      field.checked = field.value === value;
    } else if (field.value !== value) {
      // A field for days holds nothing but a day; what else was typed into it was wrong at the time.
      field.value = value;
      changed ||= field.type !== "hidden";
    }
  }
  document.getElementById("put-back").hidden = !changed;
}

if (form) {
  if ("putBack" in form.dataset) putBack();
  form.addEventListener("input", keep);
  document.getElementById("drop-kept")?.addEventListener("click", () => {
    sessionStorage.removeItem(place);
    location.reload();
  });
}

for (const link of document.querySelectorAll("a[data-drop]")) {
  link.addEventListener("click", () => place && sessionStorage.removeItem(place));
}

for (const done of document.querySelectorAll("[data-forget]")) sessionStorage.removeItem(PREFIX + done.dataset.forget);

// After a long answer of the server the reader stands where the news is.
document.querySelector("[data-focus]")?.focus();

document.addEventListener("submit", (event) => {
  if (event.target.id === "sign-out") {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
  }
});
