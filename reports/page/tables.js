// Tables are sorted by a press on a heading, filtered by words, and columns are left out. Maps of pairs are chosen.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, heads, column));
  });
}

function sort(table, heads, column) {
  const head = heads[column];
  const isNumber = head.classList.contains("number");
  // numbers start with the largest
  const down = head.ariaSort ? head.ariaSort === "ascending" : isNumber;
  for (const other of heads) other.ariaSort = null;
  head.ariaSort = down ? "descending" : "ascending";
  const body = table.tBodies[0];
  const key = (row) => (isNumber ? row.cells[column].dataset.value : row.cells[column].textContent);
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    return (down ? -1 : 1) * (isNumber ? x - y : x.localeCompare(y, "en", { numeric: true }));
  });
  body.append(...rows);
}

for (const tools of document.querySelectorAll(".tools")) tools.hidden = false;
for (const field of document.querySelectorAll("[data-filter]")) {
  const rows = [...document.getElementById(field.dataset.filter).tBodies[0].rows];
  const names = rows.map((row) => [...row.cells].slice(0, 3).map((cell) => cell.textContent).join(" ").toLowerCase());
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, place) => (row.hidden = !words.every((word) => names[place].includes(word))));
  });
}
for (const box of document.querySelectorAll("[data-column]")) {
  box.addEventListener("change", () => {
    for (const row of box.closest("section").querySelector("table.sortable").rows) {
      row.cells[box.dataset.column].hidden = !box.checked;
    }
  });
}

for (const choice of document.querySelectorAll("select[data-held]")) {
  choice.addEventListener("change", () => {
    for (const group of choice.closest(".maps").querySelectorAll(".map-group")) {
      group.hidden = group.dataset.held !== choice.value;
    }
  });
}
