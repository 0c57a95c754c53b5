// One trace as a tree of spans, pauses and inferred spans; of thousands of rows only those in sight are elements.

const LINE = 26, BESIDE = 12;

class Waterfall {
  constructor(recording, view, head) {
    Object.assign(this, { recording, view, head });
    this.closed = new Set();
    this.box = element("div", { class: "waterfall", role: "tree", tabindex: 0, "aria-label": "Spans of the trace" });
    this.inner = element("div", { class: "rows", role: "presentation" });
    this.box.append(this.inner);
    this.note = element("p", { class: "hint" });
    byId("waterfall").append(this.note, this.box);
    this.box.addEventListener("scroll", () => this.render());
    new ResizeObserver(() => this.render()).observe(this.box);
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    view.on("selection", () => this.follow());
    view.on("found", () => this.render());
    view.on("evidence", () => this.render());
    window.addEventListener("beforeprint", () => this.render(true));
    window.addEventListener("afterprint", () => this.render());
  }

  show(trace) {
    if (this.trace === trace) return;
    this.trace = trace;
    this.nodes = this.read(trace);
    this.closed.clear();
    this.order();
    this.box.scrollTop = 0;
    const spans = this.nodes.filter((each) => each.kind === "span").length;
    const others = this.nodes.length - spans;
    const isTrigger = trace !== "" && trace === this.head.trigger[0];
    this.note.replaceChildren(isTrigger ? "The trigger's trace " : "Trace ", element("code", {}, trace),
      `: ${many(spans, "span")}${others ? `, ${many(others, "pause or inferred span", "pauses and inferred spans")}` : ""}`);
    if (!trace) this.note.textContent = "No trace: nothing that fired names one. Choose a request above.";
  }

  read(trace) {
    const { recording } = this;
    const nodes = trace ? recording.rowsOfTrace(trace).map((row) => ({
      kind: "span", number: row, id: recording.spanId(row), above: recording.parent[row] < 0 ? "" : recording.spanId(recording.parent[row]),
      name: recording.name(row), start: recording.start[row], length: recording.length[row],
    })) : [];
    recording.data.explanations.forEach((each, number) => {
      if (each.trace !== trace) return;
      nodes.push({ kind: "explanation", number, id: each.id || `explanation ${number}`, above: each.parent,
        name: each.name, start: each.start, length: each.length });
    });
    return nodes;
  }

  order() {
    const below = new Map(), ids = new Set(this.nodes.map((each) => each.id));
    for (const node of this.nodes) {
      const above = ids.has(node.above) && node.above !== node.id ? node.above : "";
      if (!below.has(above)) below.set(above, []);
      below.get(above).push(node);
    }
    for (const group of below.values()) group.sort((one, other) => one.start - other.start);
    this.lines = [];
    const waiting = (below.get("") || []).map((node) => [node, 0]).reverse(), seen = new Set();
    while (waiting.length) {
      const [node, depth] = waiting.pop();
      if (seen.has(node.id)) continue;
      seen.add(node.id);
      node.depth = depth;
      node.children = (below.get(node.id) || []).length;
      this.lines.push(node);
      if (!this.closed.has(node.id)) for (const child of (below.get(node.id) || []).slice().reverse()) waiting.push([child, depth + 1]);
    }
    // The axis is that of the spans of this process; a clock of elsewhere must not squeeze it.
    this.from = Math.min(...this.nodes.map((each) => each.start));
    this.to = Math.max(...this.nodes.map((each) => each.start + each.length), this.from + 1);
    this.inner.style.height = `${this.lines.length * LINE}px`;
    this.box.style.height = `${Math.min(520, this.lines.length * LINE + 2)}px`;
    this.box.classList.toggle("empty", !this.lines.length);
    this.render();
  }

  follow() {
    const { selected } = this.view;
    if (selected === null) { this.render(); return; }
    const trace = selected.kind === "span" ? this.recording.traceId(selected.number)
      : selected.kind === "explanation" ? this.recording.data.explanations[selected.number].trace : "";
    if (trace) this.show(trace);
    let place = this.placeOfSelected();
    if (place < 0 && trace && this.closed.size) {
      this.closed.clear();
      this.order();
      place = this.placeOfSelected();
    }
    if (place >= 0) this.reveal(place);
    this.render();
  }

  placeOfSelected() {
    const { selected } = this.view;
    return selected === null ? -1 : (this.lines || []).findIndex((each) => each.kind === selected.kind && each.number === selected.number);
  }

  reveal(place) {
    const y = place * LINE;
    if (y < this.box.scrollTop) this.box.scrollTop = y;
    else if (y + LINE > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = y + LINE - this.box.clientHeight;
  }

  render(isPrinting = false) {
    if (!this.lines) return;
    const first = isPrinting ? 0 : Math.max(0, Math.floor(this.box.scrollTop / LINE) - BESIDE);
    const last = isPrinting ? Math.min(300, this.lines.length) : Math.min(this.lines.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / LINE) + BESIDE);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(this.row(this.lines[place], place));
    this.inner.replaceChildren(...rows);
    const chosen = this.placeOfSelected();
    if (chosen >= first && chosen < last) this.box.setAttribute("aria-activedescendant", `row-${chosen}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  row(node, place) {
    const { recording, view } = this;
    const isSpan = node.kind === "span";
    const failed = isSpan && recording.is(node.number, ERROR), open = isSpan && recording.is(node.number, OPEN);
    const kind = isSpan ? "" : recording.data.explanations[node.number].kind;
    const isTrigger = isSpan && node.id === this.head.trigger[1];
    const classes = ["row", kind, failed && "failed", open && "open", isTrigger && "trigger",
      view.isSelected(node.kind, node.number) && "selected", this.isEvidence(node) && "evidence",
      isSpan && view.found && !view.found[node.number] && "dim"].filter(Boolean).join(" ");
    const words = [kind, isTrigger && "trigger", failed && "failed", open && "still open"].filter(Boolean).join(", ");
    const name = element("span", { class: "name" }, node.children
      ? element("span", { class: `fold ${this.closed.has(node.id) ? "closed" : "opened"}`, onclick: (event) => { event.stopPropagation(); this.fold(node); } })
      : element("span", { class: "fold" }), words && element("span", { class: "tag" }, words), recorded(oneLine(node.name, 160)));
    name.style.paddingLeft = `${Math.min(node.depth, 24) * 13}px`;
    const bar = element("span", { class: "bar" });
    const left = (node.start - this.from) / (this.to - this.from) * 100, wide = node.length / (this.to - this.from) * 100;
    bar.style.left = `${left}%`;
    bar.style.width = `max(2px, ${wide}%)`;
    const label = element("span", { class: "length" }, duration(node.length));
    if (left + wide < 84) label.style.left = `calc(${left + wide}% + 6px)`;
    else if (left > 16) label.style.right = `calc(${100 - left}% + 6px)`;
    else { label.style.right = `calc(${Math.max(0, 100 - left - wide)}% + 4px)`; label.classList.add("within"); }
    const made = element("div", {
      class: classes, role: "treeitem", id: `row-${place}`, "aria-level": node.depth + 1,
      "aria-selected": view.isSelected(node.kind, node.number) ? "true" : "false",
      "aria-expanded": node.children ? String(!this.closed.has(node.id)) : null,
      onclick: () => view.select(node.kind, node.number),
    }, name, element("span", { class: "track" }, bar, label));
    made.style.top = `${place * LINE}px`;
    return made;
  }

  isEvidence(node) {
    const { evidence } = this.view;
    return (node.kind === "span" && evidence.spans.has(node.number)) || (evidence.explanations || new Set()).has(`${node.kind} ${node.number}`);
  }

  fold(node) {
    if (this.closed.has(node.id)) this.closed.delete(node.id); else this.closed.add(node.id);
    this.order();
  }

  onKey(event) {
    if (!this.lines.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = this.placeOfSelected(), node = this.lines[place];
    const go = (to) => {
      const wanted = this.lines[Math.min(Math.max(to, 0), this.lines.length - 1)];
      this.view.select(wanted.kind, wanted.number);
      this.box.focus();
    };
    const page = Math.max(1, Math.floor(this.box.clientHeight / LINE) - 1);
    const moves = {
      ArrowDown: () => go(place + 1), ArrowUp: () => go(place < 0 ? 0 : place - 1), PageDown: () => go(place + page), PageUp: () => go(place - page),
      Home: () => go(0), End: () => go(this.lines.length - 1), Enter: () => byId("details").querySelector("button")?.focus(),
      ArrowRight: () => (node && this.closed.has(node.id) ? this.fold(node) : go(place + 1)),
      ArrowLeft: () => {
        if (node && node.children && !this.closed.has(node.id)) this.fold(node);
        else if (node) go(this.lines.findLastIndex((each, at) => at < place && each.depth < node.depth));
      },
    };
    if (moves[event.key]) { event.preventDefault(); moves[event.key](); }
  }
}
