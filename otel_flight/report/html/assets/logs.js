// Log records and exceptions by time; each opens its details and the span it belongs to.

const MOST_LOGS = 200;

class Logs {
  constructor(recording, view) {
    Object.assign(this, { recording, view });
    this.all = [...recording.eventsOf("logs"), ...recording.eventsOf("exceptions"), ...recording.eventsOf("raised_exceptions")]
      .map((number) => recording.event(number)).sort((one, other) => one.start - other.start);
    this.most = MOST_LOGS;
    this.isOfView = false;
    this.body = element("tbody");
    this.note = element("p", { class: "hint" });
    this.more = element("button", { type: "button", onclick: () => { this.most += 1000; this.render(); } }, "Show more");
    byId("logs").append(...(this.all.length ? [
      element("label", { class: "check" }, element("input", { type: "checkbox", onchange: (event) => { this.isOfView = event.currentTarget.checked; this.render(); } }), "only what is in sight above"),
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Log records" },
        element("table", { class: "logs" }, element("thead", {}, element("tr", {}, ...["When", "What", "In"].map((each) => element("th", { scope: "col" }, each)))), this.body)),
      this.note, this.more,
    ] : [element("p", { class: "hint" }, "None was recorded in this window.")]));
    view.on("time", () => { if (this.isOfView) this.render(); });
    this.render();
  }

  render() {
    const { view, recording } = this;
    const inSight = this.isOfView ? this.all.filter((each) => each.start >= view.from && each.start <= view.to) : this.all;
    this.body.replaceChildren(...inSight.slice(0, this.most).map((each) => {
      const row = recording.rows.get(each.span);
      return element("tr", {}, element("td", {}, offset(each.start)),
        element("td", {}, element("button", { type: "button", class: `inline ${/ERROR|CRITICAL|exception/.test(each.words + each.name) ? "failed" : ""}`,
          onclick: () => { view.show(each.start, each.start + each.length); view.select("event", each.number); byId("trace").scrollIntoView({ block: "start" }); } },
        recorded(oneLine(each.words || each.name, 400)))),
        element("td", {}, row === undefined || !each.span ? "" : element("button", { type: "button", class: "inline", onclick: () => view.select("span", row) }, recorded(oneLine(recording.name(row), 80)))));
    }));
    this.more.hidden = inSight.length <= this.most;
    this.note.textContent = inSight.length > this.most ? `${this.most} of ${inSight.length} are shown.` : "";
  }
}
