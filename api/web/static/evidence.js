// Shows where each sentence of a draft comes from: pointing at a sentence, or walking to it with the arrow keys, lights
// it up together with its sources; pointing at a source lights up the sentences that rest on it.

function clear() {
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  document.getElementById("draft")?.classList.remove("has-lit");
}

function light(sentences, sources) {
  clear();
  for (const element of [...sentences, ...sources]) element.classList.add("lit");
  document.getElementById("draft")?.classList.toggle("has-lit", sources.length > 0);
}

function lightSentence(sentence) {
  const numbers = sentence.dataset.sources.split(" ").filter(Boolean);
  const sources = numbers.map((n) => document.getElementById(`source-${n}`)).filter(Boolean);
  light([sentence], sources);
  return sources;
}

function lightSource(source) {
  const rests = (sentence) => sentence.dataset.sources.split(" ").includes(source.dataset.source);
  light([...document.querySelectorAll(".sentence")].filter(rests), [source]);
}

document.addEventListener("pointerover", (event) => {
  const sentence = event.target.closest?.(".sentence");
  const source = event.target.closest?.(".source");
  if (sentence) lightSentence(sentence);
  else if (source) lightSource(source);
  else if (!document.activeElement?.closest(".reply, .source")) clear();
});

document.addEventListener("focusin", (event) => {
  const sentence = event.target.closest(".sentence");
  const source = event.target.closest(".source");
  if (sentence) lightSentence(sentence);
  else if (source) lightSource(source);
  else if (!event.target.closest(".reply")) clear();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const reply = document.activeElement?.closest(".reply");
  if (!step || !reply) return;
  event.preventDefault();
  const sentences = [...reply.querySelectorAll(".sentence")];
  const at = sentences.indexOf(document.activeElement.closest(".sentence"));
  const next = sentences[at < 0 ? (step > 0 ? 0 : sentences.length - 1) : at + step];
  if (!next) return;
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  for (const source of lightSentence(next).slice(0, 1)) source.scrollIntoView({ block: "nearest" });
});
