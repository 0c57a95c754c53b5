// Finds spans by name, attribute or id, and narrows them by route, failure and duration.

class Search {
  constructor(recording, requests, view) {
    Object.assign(this, { recording, requests, view, hits: [], at: -1 });
    this.text = element("input", { type: "search", placeholder: "Name, attribute, value or id", "aria-label": "Search spans", oninput: () => this.later(),
      onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); this.run(); this.go(event.shiftKey ? -1 : 1); } } });
    this.route = choice("Request", [["", "all"], ...requests.routes.slice(0, 100).map(([name, count]) => [String(name), `${oneLine(recording.text(name), 60)} (${count})`])], () => this.run());
    this.failed = element("input", { type: "checkbox", onchange: () => this.run() });
    this.least = element("input", { type: "number", min: 0, step: "any", class: "number", "aria-label": "Longer than, in milliseconds", oninput: () => this.later() });
    this.count = element("span", { class: "count", role: "status" });
    byId("tools").append(this.text,
      element("button", { type: "button", "aria-label": "Previous hit", onclick: () => this.go(-1) }, "↑"), element("button", { type: "button", "aria-label": "Next hit", onclick: () => this.go(1) }, "↓"),
      this.route.label, element("label", { class: "check" }, this.failed, "failed"), element("label", {}, "longer than ", this.least, " ms"),
      element("button", { type: "button", onclick: () => this.clear() }, "Clear"), this.count);
    this.legend();
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); this.text.focus(); }
    });
    this.run();
  }

  legend() {
    const { requests, recording } = this;
    const shown = requests.routes.slice(0, ROUTES);
    byId("tools").after(element("div", { class: "legend", role: "group", "aria-label": "Requests by name" }, ...shown.map(([name, count], place) => element("button", {
      type: "button", class: `route route-${place}`, onclick: () => { this.route.select.value = this.route.select.value === String(name) ? "" : String(name); this.run(); },
    }, recorded(oneLine(recording.text(name), 48)), ` ${count.toLocaleString("en")}`)),
    requests.routes.length > shown.length && element("span", { class: "hint" }, `and ${requests.routes.length - shown.length} other names`)));
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), 120);
  }

  clear() {
    this.text.value = this.least.value = this.route.select.value = "";
    this.failed.checked = false;
    this.run();
  }

  run() {
    clearTimeout(this.timer);
    const { recording, requests, view } = this;
    const wanted = this.text.value.trim().toLowerCase(), route = this.route.select.value;
    const least = Number(this.least.value) * 1e6, failed = this.failed.checked;
    this.hits = [];
    if (!wanted && !route && !least && !failed) {
      view.found = null;
      this.count.textContent = `${many(recording.count, "span")}, ${many(requests.tops.length, "request")}`;
    } else {
      const matches = wanted ? this.matcher(wanted) : () => true;
      const found = new Uint8Array(recording.count);
      for (let row = 0; row < recording.count; row++) {
        const isWanted = (!route || recording.nameOf[recording.top[row]] === Number(route)) && (!failed || recording.is(row, ERROR))
          && recording.length[row] >= least && matches(row);
        if (isWanted) { found[row] = 1; this.hits.push(row); }
      }
      view.found = found;
      this.count.textContent = this.hits.length ? `${many(this.hits.length, "span")} found` : "nothing found";
    }
    this.at = -1;
    view.tell("found");
  }

  // Texts are compared once each, then spans by the numbers of their texts.
  matcher(wanted) {
    const { recording } = this, { data } = recording;
    const has = (text) => String(text).toLowerCase().includes(wanted);
    const names = data.texts.map(has), values = data.attributes.values.map(has), keys = data.attributes.keys.map(has);
    const shapes = data.attributes.shapes.map((shape) => shape.some((key) => keys[key]));
    const pair = wanted.includes("=") ? wanted.split("=").map((each) => each.trim()) : null;
    const traces = data.spans.traces.map((each) => each === wanted);
    return (row) => {
      if (names[recording.nameOf[row]] || traces[recording.traceOf[row]] || recording.spanId(row) === wanted) return true;
      const shape = data.spans.keys[row];
      if (pair) return recording.attributes(row).some(([key, value]) => key.toLowerCase() === pair[0] && String(value).toLowerCase().includes(pair[1]));
      if (shapes[shape]) return true;
      const first = recording.spanValues[row], last = first + data.attributes.shapes[shape].length;
      for (let at = first; at < last; at++) if (values[recording.flat[at]]) return true;
      const status = recording.more(row).status;
      return status ? has(status) : false;
    };
  }

  go(step) {
    if (!this.hits.length) return;
    this.at = (this.at + step + this.hits.length) % this.hits.length;
    const row = this.hits[this.at];
    this.view.show(this.recording.start[row], this.recording.end(row));
    this.view.select("span", row);
    this.count.textContent = `${this.at + 1} of ${many(this.hits.length, "span")}`;
  }
}
