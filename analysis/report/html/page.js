"use strict";
(() => {
  const table = document.querySelector("table.sortable");
  if (table) {
    sortable(table);
    filterable(table);
  }
  document.querySelectorAll("form.slider").forEach(movable);
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

  function movable(form) {
    const points = JSON.parse(form.dataset.points);
    const [hits, alarms] = JSON.parse(form.dataset.named);
    const rows = Number(form.dataset.rows);
    const all = Number(form.dataset.all);
    const place = form.querySelector("input[type=range]");
    const weight = form.querySelector("input[type=number]");
    const marker = form.parentElement.querySelector("path.chosen");
    const ways = marker.parentElement.querySelector("path.class").getAttribute("d").slice(1).split("L");
    const share = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
    const price = (found, wrong) => (rows - found) * Number(weight.value) + wrong;
    const amount = (value) => value.toLocaleString("en", { maximumFractionDigits: 1 });
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", tell);
    form.querySelector("button").addEventListener("click", () => {
      const prices = points.map((point) => price(point[1], point[2]));
      place.value = prices.indexOf(Math.min(...prices));
      tell();
    });
    tell();

    function tell() {
      const [threshold, found, wrong, low, high] = points[place.value];
      const named = found + wrong;
      const [told, cost] = form.querySelectorAll("output");
      told.value =
        `${threshold.toPrecision(3)}: ${found} of ${rows} found (${share(found / rows)}, ` +
        `${Math.round(100 * low)}\u2013${Math.round(100 * high)} %), ${wrong} false alarm${wrong === 1 ? "" : "s"}, precision ` +
        `${share(found / named)}; of 1,000 rows ${amount((1000 * named) / all)} named, ` +
        `${amount((1000 * wrong) / all)} of them false`;
      const at = price(found, wrong);
      const before = price(hits, alarms);
      const than = at === before ? "as much as" : at < before ? "less than" : "more than";
      cost.value = `costs ${amount(at)} false alarms, ${than} the decision rule (${amount(before)})`;
      place.setAttribute("aria-valuetext", told.value);
      const x = ways[place.value].split(/[ h]/)[0];
      marker.setAttribute("d", `M${x} 26V200`);
    }
  }
})();
