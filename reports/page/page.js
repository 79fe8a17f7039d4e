// Headings have a link that copies itself.
for (const anchor of document.querySelectorAll("a.anchor")) {
  anchor.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(anchor.href);
      anchor.classList.add("copied");
      setTimeout(() => anchor.classList.remove("copied"), 1500);
    } catch {
      // the address bar has it
    }
  });
}

// Contents mark the section that is read.
const contents = document.querySelector(".contents");
const entries = new Map([...contents.querySelectorAll("a")].map((a) => [a.hash.slice(1), a]));
const sections = [...entries.keys()].map((id) => document.getElementById(id)).filter(Boolean);
const inSight = new Set();
const reading = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes) inSight[isIntersecting ? "add" : "delete"](target);
    const first = sections.find((section) => inSight.has(section));
    for (const a of entries.values()) a.removeAttribute("aria-current");
    if (!first) return;
    const current = entries.get(first.id);
    current.setAttribute("aria-current", "true");
    contents.scrollTo({ left: current.offsetLeft - contents.clientWidth / 2 });
  },
  { rootMargin: "-50px 0px -50% 0px" },
);
for (const section of sections) reading.observe(section);

// Definitions show on a touch and on focus too; the title does on hover.
const note = Object.assign(document.createElement("div"), { id: "definition", hidden: true });
note.setAttribute("role", "tooltip");
document.body.append(note);
function define(word) {
  note.textContent = word.dataset.says;
  note.hidden = false;
  word.setAttribute("aria-describedby", note.id);
  const box = word.getBoundingClientRect();
  note.style.left = `${Math.max(14, Math.min(box.left, innerWidth - note.offsetWidth - 14)) + scrollX}px`;
  note.style.top = `${box.bottom + 6 + scrollY}px`;
}
for (const word of document.querySelectorAll("dfn")) {
  word.dataset.says = word.title;
  word.removeAttribute("title");
  for (const kind of ["focus", "mouseenter", "click"]) word.addEventListener(kind, () => define(word));
  for (const kind of ["blur", "mouseleave"]) word.addEventListener(kind, () => (note.hidden = true));
}
addEventListener("keydown", (event) => {
  if (event.key === "Escape") note.hidden = true;
});

// What scrolls by itself can be reached by the keyboard.
for (const box of document.querySelectorAll(".scroll, .contents, pre")) {
  if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
}

// A link to something folded unfolds it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target; part; part = part.parentElement) if (part.matches("details")) part.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();

// What is wider than a sheet of paper is made smaller, so that nothing is cut.
const SHEET = 695; // pixels of an A4 page between its margins
const opened = new Set();
addEventListener("beforeprint", () => {
  // the reasons of a verdict are printed; rows, shots and other lists stay folded unless a reader opened them
  for (const folded of document.querySelectorAll(".claim-row:not([open]), .untested:not([open])")) {
    opened.add(folded);
    folded.open = true;
  }
  for (const table of document.querySelectorAll(".scroll > table")) {
    const least = table.cloneNode(true);
    const frame = Object.assign(document.createElement("div"), { className: "measured" });
    frame.append(least);
    document.body.append(frame);
    const width = least.offsetWidth;
    frame.remove();
    if (width > SHEET) table.style.zoom = SHEET / width;
  }
});
addEventListener("afterprint", () => {
  for (const unfolded of opened) unfolded.open = false;
  opened.clear();
  for (const table of document.querySelectorAll(".scroll > table")) table.style.zoom = "";
});

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const folded = source.closest("details");
    if (folded) folded.open = true;
    getSelection().selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
    }
  });
}
