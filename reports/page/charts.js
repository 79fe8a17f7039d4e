// Charts replace the still pictures that stand in for them, each when it comes near the window.
const NEAR = "800px";
const figures = [...document.querySelectorAll("figure[data-figure]")];

// Lay small multiples side by side only as far as the window is wide enough for them.
function fitted(spec, width) {
  const lay = (part) => {
    if (!part || typeof part !== "object") return part;
    if (part.hconcat && width < 760) {
      part.vconcat = part.hconcat;
      delete part.hconcat;
    }
    const own = part.spec && typeof part.spec.width === "number" ? part.spec.width : 0;
    if (part.columns && own) part.columns = Math.max(1, Math.min(part.columns, Math.floor(width / (own + 28 + (part.spacing?.column ?? 20)))));
    for (const inner of [...(part.vconcat || []), ...(part.hconcat || []), part.spec]) lay(inner);
    return part;
  };
  if (width < 760) spec.config.legend.columns = 2;
  return lay(spec);
}

// Colours of a chart follow the screen, dark or light: each is a variable of the style sheet (chart_colours.py).
const colours = JSON.parse(document.getElementById("chart-colours").textContent);
const follow = (spec) => spec.replace(/"(#[0-9a-f]{3,6}|white|hsl\([^"]*\))"/g, (quoted, colour) => (colours[colour] ? `"var(${colours[colour]})"` : quoted));

async function draw(figure) {
  if (figure.dataset.drawn) return;
  figure.dataset.drawn = "soon";
  const still = figure.querySelector("img");
  const place = figure.querySelector(".chart");
  const spec = JSON.parse(follow(figure.querySelector("script").textContent));
  try {
    // `ast` interprets expressions instead of compiling them, so that the page may forbid eval.
    const { view } = await vegaEmbed(place, fitted(spec, figure.clientWidth), { renderer: "svg", actions: false, ast: true });
    named(place, still.alt);
    view.addEventListener("click", (event, mark) => mark && openMark(mark, place));
    still.hidden = true;
    figure.dataset.drawn = "yes";
  } catch (error) {
    console.error(`${figure.dataset.figure}: ${error}`);
  }
}

// A mark of a line or an area stands for many points; only what stands for one opens the panel.
function openMark(mark, from) {
  const at = mark.datum;
  if (!at || typeof at !== "object" || !["symbol", "rect", "text"].includes(mark.mark.marktype)) return;
  if (at.checkpoint || at.indicator || at.line !== undefined) openAt(at, titleOf(at), from);
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  },
  { rootMargin: NEAR },
);
for (const figure of figures) {
  figure.querySelector("a.svg").href = figure.querySelector("img").src;
  seen.observe(figure);
}
