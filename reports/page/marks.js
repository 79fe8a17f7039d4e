// The marks of a chart are read and reached without a mouse: Tab enters a chart, arrows move from mark to mark,
// Enter opens the panel.
function named(place, finding) {
  const drawing = place.querySelector("svg");
  drawing.setAttribute("role", "group");
  drawing.setAttribute("aria-label", finding);
  drawing.removeAttribute("aria-roledescription");
  for (const part of drawing.querySelectorAll("[role^=graphics]")) {
    const label = part.getAttribute("aria-label");
    const isPoint = label && part.matches("path, rect") && /[:;]/.test(label) && part.parentNode.matches(".mark-symbol, .mark-rect");
    part.removeAttribute("aria-roledescription");
    part.removeAttribute("role");
    part.removeAttribute("aria-label");
    part.removeAttribute("aria-hidden");
    if (!isPoint) continue;
    part.setAttribute("role", "img");
    part.setAttribute("aria-label", label);
  }
  const marks = [...drawing.querySelectorAll("[role=img]")];
  marks.forEach((mark, place) => mark.setAttribute("tabindex", place ? "-1" : "0"));
  drawing.addEventListener("keydown", (event) => walk(event, marks));
  drawing.addEventListener("focusin", (event) => point(event.target, "pointermove", "mousemove"));
  drawing.addEventListener("focusout", (event) => point(event.target, "pointerout", "mouseout"));
}

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };

function walk(event, marks) {
  if (event.key === "Enter" && marks.includes(event.target)) openMark(event.target.__data__, event.target);
  const step = STEPS[event.key];
  const at = marks.indexOf(event.target);
  if (step === undefined || at < 0) return;
  event.preventDefault();
  const next = marks[Math.max(0, Math.min(marks.length - 1, at + step))];
  event.target.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

// A focused mark tells what a pointer over it would.
function point(mark, ...kinds) {
  if (!mark.matches("[role=img]")) return;
  const box = mark.getBoundingClientRect();
  const where = { bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
  for (const kind of kinds) {
    mark.dispatchEvent(kind.startsWith("pointer") ? new PointerEvent(kind, where) : new MouseEvent(kind, where));
  }
}
