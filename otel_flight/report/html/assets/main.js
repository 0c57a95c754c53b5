// Puts the page together: first what needs no window, so that it is there at once, then the window.

function showHead(head) {
  const title = head.causes.length ? head.causes[0] : null;
  byId("head").append(element("div", { class: "top" },
    element("div", {}, element("p", { class: "service" }, recorded(head.service || "a service without a name"), ` · ${head.opened}`, head.where && " · ", head.where && recorded(head.where)),
      element("h1", {}, title ? element("span", { class: "reason" }, recorded(title.reason)) : "A snapshot: nothing fired", title && title.subject && " ", title && title.subject && recorded(title.subject),
        title && title.origin && " in ", title && title.origin && recorded(title.origin)),
      element("p", { class: "causes" }, title ? recorded(title.words.join(" · ")) : "")),
    element("div", { class: "buttons" },
      element("button", { type: "button", onclick: (event) => copy(head.markdown, event.currentTarget) }, "Copy as text"),
      element("button", { type: "button", onclick: () => window.print() }, "Print"),
      ...head.links.filter(([, , url]) => /^https?:/.test(url)).map(([backend, what, url]) => element("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, `${backend}: ${what}`)))));
  const others = head.causes.slice(1, 6);
  if (others.length || head.refused) {
    byId("head").append(element("ul", { class: "also" }, ...others.map((each) => element("li", {}, "then ", recorded(`${each.reason} ${each.subject}`), each.words.length > 0 && " · ", recorded(each.words.join(" · ")))),
      head.causes.length > 6 && element("li", {}, `and ${head.causes.length - 6} more causes`), head.refused && element("li", {}, recorded(head.refused))));
  }
}

function showSummary(head) {
  const findings = element("div", { class: "findings" }, element("h2", {}, "Findings"));
  findings.append(head.findings.length ? element("ol", {}, ...head.findings.map((each, place) => element("li", {},
    element("button", { type: "button", class: "finding", id: `finding-${place + 1}`, "aria-pressed": "false" },
      element("span", { class: "rule" }, each.rule, each.share ? ` · ${Math.round(each.share * 100)} % of the time` : ""), element("span", { class: "sentence recorded" }, ...withNames(each.summary)))))) : element("p", { class: "hint" }, "None: no rule recognises what happened. The window is what there is."));
  byId("summary").append(findings);
  if (!head.time) return;
  const shares = element("div", { class: "time" }, element("h2", {}, "Where the ", duration(head.time.length), " of ", recorded(head.time.of), " went"));
  const bar = element("div", { class: "stack", "aria-hidden": "true" });
  const list = element("ol", { class: "shares" });
  head.time.shares.forEach((each, place) => {
    const part = element("span", { class: each.is_known ? `part share-${place % 7}` : "part unknown" });
    part.style.flexGrow = each.share;
    bar.append(part);
    list.append(element("li", {}, element("span", { class: `key ${each.is_known ? `share-${place % 7}` : "unknown"}` }), element("span", { class: "number" }, `${duration(each.duration_ns)}, ${Math.round(each.share * 100)} %`), " ", element("span", { class: "recorded" }, ...withNames(each.words))));
  });
  shares.append(bar, list);
  byId("summary").append(shares);
}

function showMissing(head, data) {
  const { attributes } = data;
  const lines = [...head.missing];
  const limited = Object.values(data.spans.more).filter((each) => each.lost).length;
  if (limited) lines.push(`${many(limited, "span")} lost a part to a limit of the SDK or of a record, or had values of other types: see under details`);
  if (data.redacted) lines.push(`${many(data.redacted, "distinct value")} had a secret in it, which was replaced by [redacted] before it was recorded`);
  if (data.shortened) lines.push(`${many(data.shortened, "value")} longer than ${many(data.longest, "character")} are cut in this page, and whole in the incident's file`);
  lines.push("other processes' spans are in their backends, not here; what was not traced is seen only where stack samples or runtime events tell of it");
  byId("missing").append(element("ul", {}, ...lines.map((each) => element("li", {}, visible(each)))),
    table("facts", head.facts.map(([key, value]) => [key, recorded(value)])),
    element("details", {}, element("summary", {}, "Process and resource"), table("facts", [...Object.entries(head.process), ...Object.entries(head.resource)].map(([key, value]) => [key, recorded(value)]))));
}

class Findings {
  constructor(head, recording, view) {
    Object.assign(this, { head, recording, view, shown: 0 });
    head.findings.forEach((each, place) => byId(`finding-${place + 1}`).addEventListener("click", () => this.toggle(place + 1)));
  }

  toggle(number) {
    this.shown = this.shown === number ? 0 : number;
    this.head.findings.forEach((each, place) => byId(`finding-${place + 1}`).setAttribute("aria-pressed", String(place + 1 === this.shown)));
    this.mark(this.shown ? this.head.findings[this.shown - 1] : null);
    if (this.shown) history.replaceState(null, "", `#finding=${number}`);
  }

  // Marks the spans and traces it names, and the pauses and events it is called after.
  mark(finding) {
    const { recording, view } = this;
    const evidence = { spans: new Set(), traces: new Set(), events: new Set(), explanations: new Set() };
    if (finding !== null) {
      for (const id of finding.spans) if (recording.rows.has(id)) evidence.spans.add(recording.rows.get(id));
      for (const id of finding.traces) evidence.traces.add(id);
      recording.data.explanations.forEach((each, number) => { if (each.name === finding.rule) evidence.explanations.add(`explanation ${number}`); });
      for (let number = 0; number < recording.eventCount; number++) {
        if (this.isEvidence(recording.event(number), finding)) evidence.events.add(number);
      }
    }
    view.evidence = evidence;
    view.tell("evidence");
    if (!this.goTo(evidence) && finding !== null) this.goToTrigger();
    if (finding !== null) say(`Shown: ${many(evidence.spans.size, "span")}, ${many(evidence.traces.size, "request")}, ${many(evidence.events.size + evidence.explanations.size, "event")}`);
  }

  // Stack samples are evidence in the trigger's trace, what stopped the process while its request ran.
  isEvidence(event, finding) {
    if (!finding.events.includes(event.name) && event.name !== finding.rule) return false;
    if (event.name === "waiting") return event.trace === this.head.trigger[0];
    const row = this.recording.rows.get(this.head.trigger[1]);
    return row === undefined || (event.start < this.recording.end(row) && event.start + event.length >= this.recording.start[row]);
  }

  goTo(evidence) {
    const { recording, view } = this;
    const [row] = evidence.spans, [trace] = evidence.traces, [pause] = evidence.explanations;
    const found = row ?? (trace ? recording.rowsOfTrace(trace)[0] : undefined);
    if (found !== undefined) {
      view.show(recording.start[found], recording.end(found));
      view.select("span", found);
    } else if (pause) view.select("explanation", Number(pause.split(" ")[1]));
    else if (evidence.events.size) view.select("event", [...evidence.events][0]);
    else return false;
    return true;
  }

  // A finding that names nothing of the window is about the time of the request that fired.
  goToTrigger() {
    const { recording, view } = this, row = recording.rows.get(this.head.trigger[1]);
    if (row !== undefined) view.show(recording.start[recording.top[row]], recording.end(recording.top[row]));
  }
}

function followLink(recording, view, findings, head) {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const row = recording.rows.get(wanted.get("span") || "");
  const inferred = recording.data.explanations.findIndex((each) => each.id && each.id === wanted.get("span"));
  const event = wanted.has("event") ? Number(wanted.get("event")) : -1, finding = Number(wanted.get("finding") || 0);
  if (row !== undefined) { view.show(recording.start[row], recording.end(row)); view.select("span", row); }
  else if (inferred >= 0) view.select("explanation", inferred);
  else if (event >= 0 && event < recording.eventCount) view.select("event", event);
  else if (finding >= 1 && finding <= head.findings.length && findings.shown !== finding) findings.toggle(finding);
  else return false;
  return true;
}

async function main() {
  const head = headData();
  readColours();
  showHead(head);
  showSummary(head);
  document.title = `${head.title || "Snapshot"} – incident ${head.id}`;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const recording = await windowData();
  showMissing(head, recording.data);
  const view = new View(recording);
  const trigger = recording.rows.get(head.trigger[1]) ?? -1;
  const requests = new Requests(recording, trigger);
  const search = new Search(recording, requests, view);
  const parts = [new Charts(recording, view, head, CHART_NAMES), new Charts(recording, view, head, MORE_CHART_NAMES, "Threads, tasks, files"), new Overview(recording, view, head), new Lanes(recording, requests, view, head)];
  const waterfall = new Waterfall(recording, view, head);
  new Details(recording, view, head);
  new Logs(recording, view);
  parts.push(new Flame(recording, view, head));
  const findings = new Findings(head, recording, view);
  waterfall.show(trigger < 0 ? "" : head.trigger[0]);
  if (trigger >= 0) {
    const top = recording.top[trigger], room = Math.max(recording.length[top] * 0.15, 1e7);
    view.look(recording.start[top] - room, recording.end(top) + room);
  }
  view.on("selection", () => {
    const { selected } = view;
    if (selected === null) return;
    const id = selected.kind === "span" ? recording.spanId(selected.number) : "";
    history.replaceState(null, "", id ? `#span=${id}` : selected.kind === "event" ? `#event=${selected.number}` : location.hash || "#");
  });
  if (!followLink(recording, view, findings, head) && trigger >= 0) { view.selected = { kind: "span", number: trigger }; for (const each of view.listeners.selection.slice(0, -1)) each(); }
  window.addEventListener("hashchange", () => followLink(recording, view, findings, head));
  const repaint = () => { readColours(); for (const each of parts) if (each.canvas) each.canvas.refresh(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  repaint();
  return { recording, view, requests, search, findings };
}

main().then((page) => {
  window.page = page; // for whoever looks from the console
  document.documentElement.dataset.ready = "true";
}).catch((error) => {
  byId("head").append(element("p", { class: "notice", role: "alert" }, `This page cannot show its window: ${error.message}. A current browser is needed (DecompressionStream).`));
  document.documentElement.dataset.ready = "failed";
});
