// What is known of the span, event or pause that is selected.

const FEW = 60, SHORT = 600;

class Details {
  constructor(recording, view, head) {
    Object.assign(this, { recording, view, head, box: byId("details") });
    view.on("selection", () => this.show());
    this.show();
  }

  show() {
    const { selected } = this.view;
    if (selected === null) {
      this.box.replaceChildren(element("h2", {}, "Details"), element("p", { class: "hint" }, "Choose a span, an event or a log line."));
      return;
    }
    const made = { span: () => this.ofSpan(selected.number), event: () => this.ofEvent(selected.number), explanation: () => this.ofExplanation(selected.number) };
    const parts = made[selected.kind]();
    this.box.replaceChildren(...parts.filter(Boolean));
    say(`${this.box.querySelector("h2").textContent}: ${this.box.querySelector("h3").textContent}`);
  }

  heading(what, name, link, facts) {
    const text = () => [what, name, ...facts.map(([key, value]) => `${key}: ${typeof value === "string" ? value : value.textContent}`),
      ...[...this.box.querySelectorAll(".attributes tr")].map((row) => `${row.cells[0].textContent}: ${row.cells[1].dataset.whole ?? row.cells[1].textContent}`)].join("\n");
    return [
      element("div", { class: "headline" }, element("h2", {}, what),
        element("button", { type: "button", onclick: (event) => copy(text(), event.currentTarget) }, "Copy as text"),
        element("button", { type: "button", onclick: (event) => copy(location.href.replace(/#.*/, "") + link, event.currentTarget) }, "Copy link")),
      element("h3", {}, recorded(shortened(name, 400))),
      table("facts", facts),
    ];
  }

  ofSpan(row) {
    const { recording } = this;
    const more = recording.more(row), flags = [];
    if (recording.is(row, ERROR)) flags.push("failed");
    if (recording.is(row, OPEN)) flags.push("still open when the incident closed");
    if (!recording.is(row, SAMPLED)) flags.push("not sampled: in no backend but by the incident");
    const parent = recording.parent[row];
    const facts = [["took", `${duration(recording.length[row])}, from ${offset(recording.start[row])}`], ["at", `${clock(recording.start[row], this.head)} UTC`]];
    if (flags.length) facts.push(["state", flags.join("; ")]);
    if (more.state) facts.push(["trace state", recorded(more.state)]);
    if (more.status) facts.push(["status", recorded(more.status)]);
    facts.push(["kind", KINDS[recording.data.spans.kind[row]] ?? String(recording.data.spans.kind[row])], ["scope", recorded(recording.text(recording.data.spans.scope[row]))]);
    facts.push(["trace", element("code", {}, recording.traceId(row))], ["span", element("code", {}, recording.spanId(row))]);
    if (parent >= 0) facts.push(["parent", this.spanButton(parent)]);
    else if (more.parent) facts.push(["parent", `${more.parent}, ${more.remote ? "in another process" : "not in the window"}`]);
    const inside = [];
    let samples = 0;
    for (let number = 0; number < recording.eventCount; number++) {
      const event = recording.event(number);
      if (event.span !== recording.spanId(row) || event.trace !== recording.traceId(row)) continue;
      if (event.stack >= 0 && /running|waiting/.test(event.name)) samples++; else inside.push(event);
    }
    if (samples) facts.push(["stacks", `${many(samples, "sample")}, in the flame graph below`]);
    return [
      ...this.heading("Span", recording.name(row), `#span=${recording.spanId(row)}`, facts),
      attributesOf("Attributes", recording.attributes(row)),
      ...(more.events || []).slice(0, FEW).map(([name, at, attributes]) => attributesOf(`Event ${name}, ${offset(at)}`, Object.entries(attributes))),
      ...(more.links || []).slice(0, FEW).map(([trace, span, attributes]) => this.linkOf(trace, span, attributes)),
      more.lost ? attributesOf("Not all of it is here", Object.entries(more.lost)) : null,
      inside.length ? this.eventsIn(inside) : null,
    ];
  }

  linkOf(trace, span, attributes) {
    const row = this.recording.rows.get(span);
    return element("div", {}, element("h4", {}, "Link"), row === undefined ? element("code", {}, `${trace} ${span}`) : this.spanButton(row),
      attributesOf("", Object.entries(attributes)));
  }

  spanButton(row) {
    return element("button", { type: "button", class: "inline", onclick: () => { this.view.show(this.recording.start[row], this.recording.end(row)); this.view.select("span", row); } },
      recorded(oneLine(this.recording.name(row), 80)));
  }

  eventsIn(events) {
    return element("div", {}, element("h4", {}, `What happened in it (${events.length})`), element("ul", { class: "plain" },
      ...events.slice(0, FEW).map((event) => element("li", {}, element("button", { type: "button", class: "inline", onclick: () => this.view.select("event", event.number) },
        `${offset(event.start)} ${event.name} `, recorded(oneLine(event.words, 140))))),
      events.length > FEW && element("li", {}, `… and ${events.length - FEW} more`)));
  }

  ofEvent(number) {
    const { recording } = this;
    const event = recording.event(number), row = recording.rows.get(event.span);
    const facts = [["when", `${offset(event.start)}, ${clock(event.start, this.head)} UTC`]];
    if (event.length) facts.push(["took", duration(event.length)]);
    facts.push(["source", event.source.replaceAll("_", " ")]);
    if (event.thread) facts.push(["thread", event.thread]);
    if (row !== undefined && event.span) facts.push(["in", this.spanButton(row)]);
    else if (event.trace) facts.push(["trace", element("code", {}, event.trace)]);
    return [
      ...this.heading("Event", `${event.name} ${event.words}`, `#event=${number}`, facts),
      attributesOf("Attributes", recording.eventAttributes(number)),
      stackOf(recording.frames(event.stack)),
    ];
  }

  ofExplanation(number) {
    const { recording } = this;
    const each = recording.data.explanations[number], row = recording.rows.get(each.parent), cause = recording.rows.get(each.link[1]);
    const facts = [["took", `${duration(each.length)}, from ${offset(each.start)}`]];
    if (row !== undefined) facts.push(["in", this.spanButton(row)]);
    if (each.link[0]) facts.push(["because of", cause === undefined ? element("code", {}, each.link[0]) : this.spanButton(cause)]);
    return [
      ...this.heading(each.kind === "pause" ? "Pause" : "Inferred span: seen by stack samples", each.name, each.id ? `#span=${each.id}` : "#", facts),
      attributesOf("Attributes", Object.entries(each.attributes)),
    ];
  }
}

function table(kind, rows) {
  return element("table", { class: kind }, element("tbody", {}, ...rows.map(([key, value]) => element("tr", {}, element("th", { scope: "row" }, visible(key)), element("td", {}, value)))));
}

function attributesOf(title, pairs) {
  if (!pairs.length) return title && !title.startsWith("Attributes") ? element("h4", {}, recorded(oneLine(title, 200))) : null;
  const body = element("tbody");
  const add = (from, to) => body.append(...pairs.slice(from, to).map(([key, value]) => {
    const cell = element("td", {}, valueOf(value));
    cell.dataset.whole = String(value);
    return element("tr", {}, element("th", { scope: "row" }, recorded(shortened(key, 120))), cell);
  }));
  add(0, FEW);
  const rest = pairs.length > FEW ? element("button", { type: "button", onclick: (event) => { add(FEW, pairs.length); event.currentTarget.remove(); } },
    `Show all ${pairs.length.toLocaleString("en")}`) : null;
  return element("div", {}, title && element("h4", {}, recorded(oneLine(title, 200))), element("table", { class: "attributes" }, body), rest);
}

function valueOf(value) {
  const text = String(value);
  if (text.length <= SHORT) return recorded(text);
  const shown = recorded(shortened(text, SHORT));
  const button = element("button", { type: "button", class: "inline", onclick: () => { shown.textContent = visible(text); button.remove(); } },
    `show ${many(text.length - SHORT, "more character")}`);
  return element("span", {}, shown, " ", button);
}

const shortened = (text, longest) => (text.length > longest ? `${text.slice(0, longest)}…` : text);

function stackOf(frames) {
  if (!frames.length) return null;
  return element("div", {}, element("h4", {}, "Stack, innermost first"), element("ol", { class: "frames" },
    ...frames.slice().reverse().map((each) => element("li", {}, recorded(each.code, { class: "recorded code" }), each.file && element("small", {}, recorded(`${each.file}:${each.line}`))))));
}
