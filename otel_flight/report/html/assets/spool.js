"use strict";
// Lists incidents, and asks every few seconds whether there are others.

const PAUSE_MS = 3000;
let shown = "";
let chosen = [];

function rowOf(each) {
  const what = each.page ? element("a", { href: each.page }, recorded(each.what)) : element("span", { class: "reason" }, recorded(each.what));
  const choice = each.page && element("input", { type: "checkbox", id: `choose ${each.id}`, "aria-label": `Compare ${each.id}`, onchange: () => choose(each.id) });
  if (choice) choice.checked = chosen.includes(each.id);
  return element("tr", {}, element("td", { class: "choice" }, choice), element("td", {}, each.opened, element("br"), element("small", {}, element("code", {}, each.id))),
    element("td", {}, what, each.finding && element("p", { class: "causes" }, ...withNames(each.finding))), element("td", {}, recorded(each.service)),
    element("td", {}, String(each.spans)), element("td", {}, recorded(each.delivery)));
}

// Of three, the one that was chosen first is no longer chosen.
function choose(id) {
  chosen = chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id].slice(-2);
  for (const each of document.querySelectorAll("#incidents input")) each.checked = chosen.includes(each.id.slice("choose ".length));
  byId("compare").disabled = chosen.length < 2;
  say(chosen.length < 2 ? `${chosen.length} of 2 incidents chosen` : "2 incidents chosen, ready to compare");
}

function showRows(rows) {
  const wanted = byId("filter").value.trim().toLowerCase();
  const text = JSON.stringify([rows, wanted]);
  if (text === shown) return;
  const focused = byId("incidents").contains(document.activeElement) ? document.activeElement.getAttribute("href") || document.activeElement.id : null;
  shown = text;
  const found = rows.filter((each) => [each.id, each.what, each.service].some((one) => one.toLowerCase().includes(wanted)));
  byId("incidents").replaceChildren(...found.map(rowOf));
  byId("none").hidden = rows.length > 0;
  if (focused !== null) [...byId("incidents").querySelectorAll("a, input")].find((each) => (each.getAttribute("href") || each.id) === focused)?.focus();
}

async function refresh(rows) {
  let state = "";
  try {
    const answer = await fetch("incidents.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const found = await answer.json();
    if (found.length > rows.length) say(many(found.length - rows.length, "new incident"));
    rows.splice(0, rows.length, ...found);
    showRows(rows);
  } catch {
    state = "The server has ended: what is shown is the last it said.";
  }
  byId("state").textContent = state || `${many(rows.length, "incident")}, newest first`;
  setTimeout(() => refresh(rows), PAUSE_MS);
}

const rows = JSON.parse(byId("rows").textContent);
byId("filter").addEventListener("input", () => showRows(rows));
byId("compare").addEventListener("click", () => { location.href = `${chosen.slice().sort().map(encodeURIComponent).join("..")}.html`; });
showRows(rows);
refresh(rows).then(() => { document.documentElement.dataset.ready = "true"; });
