// A flame graph of the stack samples, of all, of one thread, of one request, of what ran or what waited.

const FLAME = 18;

class Flame {
  constructor(recording, view, head) {
    Object.assign(this, { recording, view, head });
    this.samples = [...recording.eventsOf("stacks"), ...recording.eventsOf("last_stacks")].map((number) => recording.event(number)).filter((each) => each.stack >= 0);
    const box = byId("stacks");
    if (!this.samples.length) {
      box.append(element("p", { class: "hint" }, "None: stacks are sampled when a request takes longer than usual."));
      return;
    }
    const threads = [...new Set(this.samples.map((each) => each.thread))].filter(Boolean);
    this.of = choice("Of", [["trace", "the trace shown"], ["span", "the span selected"], ["sight", "the time in sight"], ["all", "everything"]], () => this.build());
    this.thread = choice("Thread", [["", "all"], ...threads.map((each) => [each, each])], () => this.build());
    this.doing = choice("Doing", [["", "running and waiting"], ["running", "running"], ["waiting", "waiting"]], () => this.build());
    this.note = element("p", { class: "hint", role: "status" });
    this.canvas = new Canvas({ class: "flame", role: "img", tabindex: 0, "aria-label": "Flame graph; the same is in the table below. Escape shows all of it again." }, (pen, width) => this.draw(pen, width));
    this.table = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Functions by samples" });
    box.append(element("div", { class: "tools" }, this.of.label, this.thread.label, this.doing.label), this.note, this.canvas.node, this.table);
    const trigger = head.trigger[0];
    this.of.select.value = trigger && this.samples.some((each) => each.trace === trigger) ? "trace" : "all";
    view.on("selection", () => { if (["trace", "span"].includes(this.of.select.value)) this.build(); });
    view.on("time", () => { if (this.of.select.value === "sight") this.build(); });
    this.listen();
    this.build();
  }

  chosen() {
    const { recording, view, head } = this;
    const row = view.selected && view.selected.kind === "span" ? view.selected.number : -1;
    const trace = row >= 0 ? recording.traceId(row) : head.trigger[0];
    const isIn = {
      trace: (each) => each.trace === trace,
      span: (each) => { for (let at = recording.rows.get(each.span) ?? -1, left = 1000; at >= 0 && left > 0; at = recording.parent[at], left--) if (at === row) return true; return false; },
      sight: (each) => each.start + each.length >= view.from && each.start <= view.to, all: () => true,
    }[this.of.select.value];
    const thread = this.thread.select.value, doing = this.doing.select.value;
    return this.samples.filter((each) => isIn(each) && (!thread || each.thread === thread) && (!doing || each.name === doing));
  }

  build() {
    const samples = this.chosen();
    this.root = { name: "all", file: "", count: samples.length, below: new Map(), depth: 0 };
    const own = new Map();
    this.deepest = 0;
    for (const sample of samples) {
      let node = this.root;
      const seen = new Set();
      this.recording.frames(sample.stack).forEach((frame, place, all) => {
        const key = `${frame.code}\n${frame.file}`;
        if (!node.below.has(key)) node.below.set(key, { name: frame.code, file: frame.file, line: frame.line, count: 0, waiting: 0, below: new Map(), depth: node.depth + 1 });
        node = node.below.get(key);
        node.count++;
        if (sample.name === "waiting") node.waiting++;
        this.deepest = Math.max(this.deepest, node.depth);
        if (!own.has(key)) own.set(key, { frame, self: 0, total: 0 });
        if (!seen.has(key)) own.get(key).total++;
        seen.add(key);
        if (place === all.length - 1) own.get(key).self++;
      });
    }
    this.trunk = this.zoomed = trunkOf(this.root, this.deepest);
    this.note.textContent = samples.length ? `${many(samples.length, "sample")}; wide is often, orange ran, blue waited.` : "No sample fits this choice.";
    this.tabulate(own, samples.length);
    this.zoom(this.trunk);
  }

  zoom(node) {
    this.zoomed = node;
    const rows = this.root.count ? this.deepest - node.depth + (node === this.root ? 1 : 2) : 0;
    this.canvas.node.style.height = `${rows * FLAME + 2}px`;
    this.canvas.refresh();
  }

  tabulate(own, all) {
    const rows = [...own.values()].filter((each) => each.self).sort((one, other) => other.self - one.self || other.total - one.total).slice(0, 12);
    this.table.replaceChildren(...(rows.length ? [element("table", { class: "functions" }, element("thead", {}, element("tr", {}, ...["In it", "In it or below", "Function"].map((each) => element("th", { scope: "col" }, each)))),
      element("tbody", {}, ...rows.map(({ frame, self, total }) => element("tr", {}, element("td", {}, `${Math.round(self / all * 100)} %`), element("td", {}, `${Math.round(total / all * 100)} %`),
        element("td", {}, recorded(frame.code, { class: "recorded code" }), " ", frame.file && element("small", {}, recorded(`${frame.file}:${frame.line}`)))))))] : []));
  }

  draw(pen, width) {
    this.boxes = [];
    if (this.root.count) this.place(pen, this.zoomed, 0, width);
    // What is around the part that is looked at stays, over its whole width.
    if (this.zoomed !== this.root) this.box(pen, this.root, 0, width);
  }

  y(node) {
    return node === this.root ? 0 : (node.depth - this.zoomed.depth + (this.zoomed === this.root ? 0 : 1)) * FLAME;
  }

  place(pen, node, from, to) {
    this.box(pen, node, from, to);
    let x = from;
    for (const each of node.below.values()) {
      const end = x + each.count / node.count * (to - from);
      if (end - x > 0.7) this.place(pen, each, x, end);
      x = end;
    }
  }

  box(pen, node, from, to) {
    const y = this.y(node);
    pen.globalAlpha = node === this.root ? 0.35 : 0.55 + 0.35 * ((node.name.length * 7) % 10) / 10;
    pen.fillStyle = node === this.root ? colours.bar : node.waiting * 2 > node.count ? colours.wait : colours.run;
    pen.fillRect(from, y, Math.max(0.7, to - from - 1), FLAME - 1);
    pen.globalAlpha = 1;
    this.boxes.push({ node, from, to, y });
    if (to - from > 34) {
      pen.save();
      pen.beginPath();
      pen.rect(from, y, to - from - 3, FLAME);
      pen.clip();
      pen.fillStyle = colours.ink;
      pen.fillText(node === this.root && this.zoomed !== node ? `${this.zoomed.depth - 1} frames above: show all` : oneLine(node.name, 120), from + 4, y + FLAME / 2);
      pen.restore();
    }
  }

  listen() {
    const { node } = this.canvas;
    const at = (event) => (this.boxes || []).find((each) => event.offsetX >= each.from && event.offsetX < each.to && event.offsetY >= each.y && event.offsetY < each.y + FLAME);
    node.addEventListener("pointermove", (event) => {
      const found = at(event);
      if (found) showTip(event, [oneLine(found.node.name, 160), found.node.file ? oneLine(`${found.node.file}:${found.node.line}`, 200) : "",
        `${many(found.node.count, "sample")}, ${Math.round(found.node.count / Math.max(1, this.root.count) * 100)} %`].filter(Boolean));
      else hideTip();
    });
    node.addEventListener("pointerleave", hideTip);
    node.addEventListener("click", (event) => { const found = at(event); if (found) this.zoom(found.node); });
    node.addEventListener("keydown", (event) => { if (event.key === "Escape") this.zoom(this.root); });
  }
}

// The frames that all samples share are of the server and its framework: the last few of them are enough.
function trunkOf(root, deepest) {
  const line = [root];
  for (let node = root; node.below.size === 1; line.push(node)) {
    const [only] = node.below.values();
    if (only.count < node.count) break;
    node = only;
  }
  const last = line[line.length - 1];
  return deepest > 12 && last.depth > 8 ? line[line.length - 8] : root;
}

function choice(name, options, onChange) {
  const select = element("select", { onchange: onChange }, ...options.map(([value, text]) => element("option", { value }, text)));
  return { select, label: element("label", {}, `${name} `, select) };
}
