// The side panel: what a number is made of. Values by seed and format, items that changed, files, commands.
const panel = document.getElementById("panel");
const read = (id) => JSON.parse(document.getElementById(id).textContent);
let known = null; // parsed when the panel is first opened
let opener = null;

function data() {
  if (known) return known;
  const [values, items] = [read("values"), read("items")];
  const column = (name) => (row) => (Array.isArray(values.columns[name]) ? values.columns[name][row] : values.columns[name]);
  const coded = ["series", "checkpoint", "dataset", "format", "method", "probe", "probe_format"];
  const rows = Array.from({ length: values.n }, (_, row) => {
    const found = {};
    for (const name of Object.keys(values.columns)) found[name] = column(name)(row);
    for (const name of coded) found[name] = values.names[found[name]];
    return found;
  });
  return (known = { values, items, rows });
}

// Elements are made with text only: what models wrote is never read as HTML.
function make(tag, text, more = {}) {
  const part = Object.assign(document.createElement(tag), more);
  if (text !== undefined && text !== null) part.textContent = text;
  return part;
}

function grid(heads, rows) {
  const table = make("table", null, { className: "list" });
  const line = (cells, tag) => {
    const row = table.insertRow();
    cells.forEach((cell) => row.append(make(tag, cell ?? "–")));
  };
  line(heads, "th");
  for (const row of rows) line(row, "td");
  const box = make("div", null, { className: "scroll", tabIndex: 0 });
  box.append(table);
  return box;
}

const digits = (value, places = 3) => (value === null || value === undefined ? "–" : value.toFixed(places).replace("-", "−"));

function show(title, parts, from) {
  panel.querySelector("h2").textContent = title;
  panel.querySelector(".body").replaceChildren(...parts.filter(Boolean));
  if (panel.hidden) opener = from;
  panel.hidden = false;
  panel.scrollTop = 0;
  panel.focus({ preventScroll: true });
}

function close() {
  if (panel.hidden) return;
  panel.hidden = true;
  if (opener) opener.focus({ preventScroll: true });
}
panel.querySelector(".close").addEventListener("click", close);
addEventListener("keydown", (event) => event.key === "Escape" && close());

// The rows that a point, a cell or a line of a table is about.
function rowsOf(at) {
  const isBase = at.method ? ["base", "none"].includes(at.method) : !at.dataset;
  return data().rows.filter((row) => {
    if (at.series && row.series !== at.series) return false;
    if (at.checkpoint && row.checkpoint !== at.checkpoint) return false;
    if (at.shots !== undefined && at.shots !== null && row.shots !== at.shots) return false;
    if (at.seed !== undefined && at.seed !== null && row.seed !== at.seed) return false;
    const probe = at.probe || at.dataset;
    if (probe && row.probe !== probe) return false;
    if (isBase) return row.method === "base" && (!at.format || at.format === "all" || row.probe_format === at.format);
    if ((at.method && row.method !== at.method) || (at.dataset && row.dataset !== at.dataset)) return false;
    if (at.format && at.format !== "all" && row.format !== at.format) return false;
    if (at.probe_format) return row.probe_format === at.probe_format;
    return row.format === row.probe_format || row.probe_format === "text";
  });
}

function valueTable(rows) {
  if (!rows.length) return make("p", "No single values of this are on the page.");
  const seeds = [...new Set(rows.map((row) => row.seed))].sort((a, b) => a - b);
  const lines = new Map();
  for (const row of rows) {
    const names = [row.checkpoint, row.method, row.format === row.probe_format ? row.format : `${row.format}, asked in ${row.probe_format}`, row.shots];
    const key = names.join("|");
    if (!lines.has(key)) lines.set(key, { names, values: {}, won: 0, lost: 0, both: 0, neither: 0, isCounted: false, metric: row.metric });
    const line = lines.get(key);
    line.values[row.seed] = row.value;
    if (row.won !== null && row.won !== undefined) {
      line.isCounted = true;
      for (const name of ["won", "lost", "both", "neither"]) line[name] += row[name];
    }
  }
  const most = 60;
  const found = [...lines.values()];
  const heads = ["checkpoint", "method", "format", "shots", "score", ...seeds.map((seed) => `seed ${seed}`)];
  const isCounted = found.some((line) => line.isCounted);
  if (isCounted) heads.push("won", "lost", "both", "neither");
  const cells = found.slice(0, most).map((line) => [
    ...line.names, line.metric, ...seeds.map((seed) => digits(line.values[seed])),
    ...(isCounted ? ["won", "lost", "both", "neither"].map((name) => (line.isCounted ? line[name] : "–")) : []),
  ]);
  const box = make("div");
  box.append(make("h3", "Values by format and seed"), grid(heads, cells));
  if (found.length > most) box.append(make("p", `${found.length - most} more lines are in tables/measurements.parquet.`, { className: "small" }));
  if (isCounted) box.append(make("p", "Answers of all seeds against those of the untouched model: won, lost, both right, both wrong.", { className: "small" }));
  return box;
}

const same = (a, b) => a.every((part, place) => part === b[place]);

// Models are [series, checkpoint, method, dataset].
function itemList(first, second, probe, isTurned) {
  const { items } = data();
  const place = (model) => items.models.findIndex((other) => same(other, model));
  const name = items.names.indexOf(probe);
  const [a, b] = [place(first), place(second)];
  const straight = items.contrasts[`${a} ${b} ${name}`];
  const rows = straight || items.contrasts[`${b} ${a} ${name}`];
  const box = make("div");
  box.append(make("h3", "Items that changed most"));
  const of = (model) => (model[2] === "base" ? `untouched ${model[1]}` : `${model[1]}, ${model[2]}`);
  if (!rows) {
    const why = items.n_here < items.n ? `The page holds the items of the ${items.n_here} of ${items.n} comparisons that changed most.` : "No items of these two models are on the page.";
    box.append(make("p", `${why} All are in tables/items; one item is shown by:`), command(`ripeness show ITEM ${items.study} --dataset ${probe}`));
    return box;
  }
  if (!rows.length) box.append(make("p", "No item changed."));
  box.append(make("p", `From ${of(first)} to ${of(second)}, on ${probe}; scores and log-likelihoods of the right answer before → after.`, { className: "small" }));
  for (const row of rows) {
    const turned = !straight;
    const [item, form, seed] = row;
    const [was, now] = turned ? [1, 0] : [0, 1];
    const pick = (at) => [row[at + was], row[at + now]];
    const [score, output, logp, margin] = [pick(3), pick(5), pick(7), pick(9)];
    const fold = make("details", null, { className: "item" });
    const sign = score[1] > score[0] ? "won" : score[1] < score[0] ? "lost" : "same";
    const seedName = seed === null ? "" : `, seed ${seed}`;
    const head = make("summary");
    head.append(make("b", sign, { className: sign }), ` ${item}, ${form}${seedName}: ${short(output[0])} → ${short(output[1])}`);
    fold.append(head);
    const text = items.prompts[`${probe} ${form} ${item}`] || {};
    fold.append(
      text.prompt ? make("pre", text.prompt) : make("p", "The prompt is not there any more."),
      grid(["", of(first), of(second)], [
        ["answer", output[0], output[1]],
        ["score", digits(score[0], 2), digits(score[1], 2)],
        ["log-likelihood of the right answer (nats)", digits(logp[0]), digits(logp[1])],
        ["lead over the best wrong one (nats)", digits(margin[0]), digits(margin[1])],
      ]),
      make("p", `Right: ${text.right ?? "–"}`),
      command(`ripeness show ${item} ${items.study} --dataset ${probe}`),
    );
    box.append(fold);
  }
  if (items.n_here < items.n) box.append(make("p", `The page holds the items of ${items.n_here} of ${items.n} comparisons, those that changed most; others: ripeness show ITEM ${items.study}.`, { className: "small" }));
  return box;
}

const short = (text) => (text === null ? "no answer" : `“${text.trim().slice(0, 40)}${text.trim().length > 40 ? "…" : ""}”`);

function command(text) {
  const line = make("pre", text, { className: "command" });
  const button = make("button", "Copy");
  button.addEventListener("click", () => navigator.clipboard.writeText(text).then(() => (button.textContent = "Copied"), () => getSelection().selectAllChildren(line)));
  const box = make("div", null, { className: "copied-line" });
  box.append(line, button);
  return box;
}

function filesOf(rows) {
  const { items } = data();
  const cells = [...new Set(rows.map((row) => `${row.series}/${row.checkpoint}/${row.dataset}/${row.format}/${row.method}/seed${row.seed}`))];
  if (!cells.length || !items.folder) return null;
  const box = make("div");
  box.append(make("h3", "Files and command"));
  box.append(make("p", `${items.folder}/cells/${cells[0]}/measurements.parquet${cells.length > 1 ? ` and ${cells.length - 1} more` : ""}; all in ${items.folder}/tables/measurements.parquet`, { className: "small path" }));
  box.append(command(`ripeness show ${cells[0]} ${items.study}`));
  box.append(command(`ripeness run ${items.study} -- ${items.folder}/cells/${cells[0]}/measurements.parquet`));
  return box;
}

const shownFacts = { value: "value", low: "95 % from", high: "95 % to", smallest: "smallest that matters", status: "status", reason: "reason", n_items: "test items", n_seeds: "seeds", n_examples: "examples", final_loss: "final loss", n: "cells", done: "cells done" };

// A mark of a chart, or a line of a table: `at` has the names that it belongs to.
function openAt(at, title, from) {
  const rows = at.checkpoint || at.probe || at.dataset ? rowsOf(at) : [];
  const facts = Object.entries(shownFacts).filter(([key]) => at[key] !== undefined && at[key] !== null && at[key] !== "");
  const parts = [facts.length ? grid(facts.map(([, name]) => name), [facts.map(([key]) => (typeof at[key] === "number" && !Number.isInteger(at[key]) ? digits(at[key]) : at[key]))]) : null];
  if (at.checkpoint) parts.push(valueTable(rows));
  const tuned = rows.find((row) => row.method !== "base");
  if (at.checkpoint && tuned && tuned.probe_format !== "text") {
    const series = tuned.series;
    parts.push(itemList([series, at.checkpoint, "base", tuned.probe], [series, at.checkpoint, tuned.method, tuned.dataset], tuned.probe));
  } else if (at.checkpoint && rows.length && rows[0].probe_format !== "text") {
    const probe = rows[0].probe;
    const own = data().items.models.find((model) => model[0] === rows[0].series && model[1] === at.checkpoint && model[2] !== "base" && model[3] === probe);
    if (own) parts.push(itemList([rows[0].series, at.checkpoint, "base", probe], own, probe));
  }
  parts.push(filesOf(rows));
  show(title, parts, from);
}

function titleOf(at) {
  const names = [at.series, at.checkpoint, at.dataset, at.probe !== at.dataset ? at.probe : null, at.method, at.format, at.recipe, at.indicator];
  return names.filter(Boolean).join(", ") || "A point";
}

// A pair of two models of a map.
function openPair(button) {
  const { kind } = button.closest(".maps").dataset;
  const { held } = button.closest(".map-group").dataset;
  const { probe } = button.closest("table").dataset;
  const { items } = data();
  const { a, b } = button.dataset;
  const model = (name) => {
    const [series, checkpoint] = items.places[kind === "checkpoints" ? name : held];
    return [series, checkpoint, kind === "checkpoints" ? held : name, probe];
  };
  const [first, second] = [model(a), model(b)];
  const rows = [first, second].flatMap(([series, checkpoint, method, dataset]) => rowsOf({ series, checkpoint, method, dataset, probe, shots: items.shots }));
  const [named, ...facts] = button.getAttribute("aria-label").split(": ");
  const list = make("ul", null, { className: "caveats" });
  for (const fact of facts.join(": ").split("; ")) list.append(make("li", fact));
  show(named, [list, itemList(first, second, probe), valueTable(rows), filesOf(rows)], button);
}

document.addEventListener("click", (event) => {
  const value = event.target.closest("button.value");
  if (value) {
    const at = { ...JSON.parse(value.closest("tr").dataset.at), checkpoint: value.dataset.checkpoint };
    if (at.method !== "base") at.dataset = at.probe;
    openAt(at, titleOf(at), value);
  }
  const line = event.target.closest("button.line");
  if (line) {
    const at = JSON.parse(line.dataset.at);
    openAt(at, titleOf(at), line);
  }
  const pair = event.target.closest("table.pairs button");
  if (pair) openPair(pair);
});
