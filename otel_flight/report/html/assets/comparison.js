"use strict";
// Shows what two incidents have in common, and what not.

const comparison = JSON.parse(byId("comparison").textContent);
const pages = JSON.parse(byId("pages").textContent);
const SIDES = ["first", "second"];

function rowOf(row) {
  const isSame = row.verdict === "same";
  const values = row.values.map((each, place) => element("td", { "data-side": SIDES[place] }, ...(each ? withNames(each) : [element("span", { class: "hint" }, "–")])));
  return element("tr", { class: row.values[0] === row.values[1] ? "same equal" : isSame ? "same" : "differs" }, element("th", { scope: "row" }, ...withNames(row.what)), ...values,
    element("td", { class: "verdict" }, row.verdict, row.change && element("small", {}, ` ${row.change}`)));
}

function sectionOf(section, place) {
  const title = `section-${place}`;
  return element("section", { "aria-labelledby": title }, element("h2", { id: title }, section.title),
    element("table", { class: "comparison" }, element("thead", {}, element("tr", {}, ...["", ...SIDES, ""].map((each, column) => element("th", { scope: "col" }, each || element("span", { class: "hidden" }, column ? "Verdict" : "What"))))),
      element("tbody", {}, ...section.rows.map(rowOf))),
    section.left_out > 0 && element("p", { class: "hint" }, `and ${section.left_out} more`));
}

byId("incidents").append(...comparison.incidents.map((each, place) => element("div", {}, element("p", { class: "hint" }, `The ${SIDES[place]} · `, recorded(each.service || "a service without a name"), ` · ${each.opened}`),
  element("a", { href: pages[place] }, recorded(each.title)), element("p", { class: "hint" }, element("code", {}, each.id)))));
byId("sections").append(...comparison.sections.map(sectionOf));
const rows = comparison.sections.flatMap((each) => each.rows);
const different = rows.filter((each) => each.verdict !== "same").length;
byId("state").textContent = `${many(different, "difference")}, ${rows.length - different} the same`;
byId("only").addEventListener("change", (event) => byId("sections").classList.toggle("only", event.target.checked));
document.documentElement.dataset.ready = "true";
