// Writes at each cell of a table what stands above it, for phones, where the cells of a row stand below each other.
for (const table of document.querySelectorAll("article table.docutils")) {
  const headings = [...table.querySelectorAll("thead th")].map((each) => each.textContent.trim());
  for (const row of table.tBodies[0]?.rows ?? []) {
    [...row.cells].forEach((cell, column) => {
      cell.dataset.heading = headings[column] ?? "";
      cell.toggleAttribute("data-empty", !cell.textContent.trim());
    });
  }
}
