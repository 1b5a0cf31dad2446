"use strict";
(() => {
  const table = document.querySelector("table.sortable");
  if (table) {
    sortable(table);
    filterable(table);
  }
  // A closed part would be missing on paper.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));

  function sortable(table) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, body, head, column));
    });
    table.tHead.rows[0].cells[0].setAttribute("aria-sort", "ascending");
  }

  function sort(table, body, head, column) {
    // Figures start with the largest first, words and ranks from the front.
    const first = head.classList.contains("number") && column > 0 ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    table.querySelectorAll("[aria-sort]").forEach((cell) => cell.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => [key(row.cells[column]), row]);
    rows.sort(([one], [two]) => missing(one) - missing(two) || sign * compare(one, two));
    body.append(...rows.map(([, row]) => row));
  }

  function key(cell) {
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const text = cell.textContent.trim();
    return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
  }

  // What has no value stays at the end in both directions.
  function missing(value) {
    return value === "" || value === "–" || value === "-" ? 1 : 0;
  }

  function compare(one, two) {
    if (typeof one === "number" && typeof two === "number") return one - two;
    return String(one).localeCompare(String(two), "en", { numeric: true });
  }

  function filterable(table) {
    const form = document.querySelector(".controls");
    const find = document.getElementById("find");
    const meets = document.getElementById("meets");
    const count = document.getElementById("count");
    const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
    const lines = [...document.querySelectorAll("path[data-trial]")];
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    find.addEventListener("input", filter);
    meets.addEventListener("change", filter);

    function filter() {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const shown = new Set();
      for (const [row, text] of rows) {
        const fits = words.every((word) => text.includes(word)) && (!meets.checked || "meets" in row.dataset);
        row.hidden = !fits;
        if (fits) shown.add(row.dataset.trial);
      }
      for (const line of lines) line.classList.toggle("dim", !shown.has(line.dataset.trial));
      const all = rows.length === 1 ? "1 trial" : `${rows.length} trials`;
      count.value = shown.size === rows.length ? all : `${shown.size} of ${all}`;
    }
  }
})();
