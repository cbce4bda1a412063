(() => {
  const ledger = document.currentScript.closest(".ledger");
  const rows = [...ledger.querySelectorAll("tbody tr")];
  const controls = [...ledger.querySelectorAll("[data-filter]")];
  const filter = () => {
    let shown = 0;
    for (const row of rows) {
      row.hidden = !controls.every(({ value, dataset }) => dataset.filter === "text"
        ? row.textContent.toLowerCase().includes(value.toLowerCase())
        : !value || row.dataset[dataset.filter] === value);
      shown += !row.hidden;
    }
    ledger.querySelector("output").textContent = `${shown} of ${rows.length} checks`;
  };
  const sort = (column, heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const key = row => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    const order = (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true });
    rows.sort((a, b) => down ? order(b, a) : order(a, b));
    ledger.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    ledger.querySelector("tbody").append(...rows);
  };
  controls.forEach(control => control.addEventListener("input", filter));
  ledger.querySelectorAll("th").forEach((heading, column) =>
    heading.querySelector("button").addEventListener("click", () => sort(column, heading)));
  filter();
})();
