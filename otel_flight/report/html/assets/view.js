// What is looked at: a stretch of time, a selection, what a finding points at, and what a search found.

class View {
  constructor(recording) {
    this.axis = recording.data.axis;
    [this.from, this.to] = this.axis;
    this.selected = null;      // {kind: "span" | "event" | "explanation", number}
    this.found = null;         // a Uint8Array by row: 1 for what the search found; null: no search
    this.evidence = { spans: new Set(), traces: new Set(), events: new Set() };
    this.listeners = { time: [], selection: [], found: [], evidence: [] };
  }

  on(what, listener) { this.listeners[what].push(listener); }
  tell(what) { for (const each of this.listeners[what]) each(); }

  get length() { return this.to - this.from; }
  x(ns, width) { return (ns - this.from) / this.length * width; }
  ns(x, width) { return this.from + x / width * this.length; }

  look(from, to) {
    const [first, last] = this.axis;
    const length = Math.min(Math.max(to - from, 1000), last - first);
    this.from = Math.min(Math.max(from, first), last - length);
    this.to = this.from + length;
    this.tell("time");
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    this.look(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  pan(share) { this.look(this.from + share * this.length, this.to + share * this.length); }
  reset() { this.look(...this.axis); }

  // Moves no further than needed to see a stretch of time.
  show(start, end) {
    if (start >= this.from && end <= this.to && (end - start) > this.length / 200) return;
    const room = Math.max((end - start) * 0.25, 1e6);
    this.look(start - room, end + room);
  }

  select(kind, number) {
    this.selected = kind ? { kind, number } : null;
    this.tell("selection");
  }

  isSelected(kind, number) { return this.selected !== null && this.selected.kind === kind && this.selected.number === number; }
}

// A wheel with Ctrl, a drag, a pinch and keys move the time of a canvas that shows it from `left` on.
function moveTime(node, view, left, { onDrag = null } = {}) {
  const width = () => node.clientWidth - left;
  node.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      view.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 100)) * 0.35), view.ns(event.offsetX - left, width()));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      view.pan((event.deltaX || event.deltaY) / width());
    }
  }, { passive: false });
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    let last = event.clientX, lastY = event.clientY;
    const move = (moved) => {
      if (onDrag !== null) onDrag(lastY - moved.clientY);
      view.pan((last - moved.clientX) / width());
      [last, lastY] = [moved.clientX, moved.clientY];
    };
    const end = () => { node.removeEventListener("pointermove", move); };
    node.setPointerCapture(event.pointerId);
    node.addEventListener("pointermove", move);
    node.addEventListener("pointerup", end, { once: true });
    node.addEventListener("pointercancel", end, { once: true });
  });
  node.addEventListener("keydown", (event) => {
    const moves = {
      "+": () => view.zoom(0.6), "=": () => view.zoom(0.6), w: () => view.zoom(0.6),
      "-": () => view.zoom(1 / 0.6), s: () => view.zoom(1 / 0.6),
      ArrowLeft: () => view.pan(-0.2), a: () => view.pan(-0.2), ArrowRight: () => view.pan(0.2), d: () => view.pan(0.2),
      0: () => view.reset(), Home: () => view.reset(),
    };
    if (!event.ctrlKey && !event.metaKey && !event.altKey && moves[event.key]) {
      event.preventDefault();
      moves[event.key]();
    }
  });
}

function drawGrid(pen, view, left, top, width, height, labels) {
  const step = niceStep(view.length / Math.max(2, (width - left) / 110));
  pen.fillStyle = colours.line;
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = left + view.x(at, width - left);
    pen.fillStyle = colours.line;
    pen.fillRect(Math.round(x), top, 1, height - top);
    if (labels && x < width - 30) {
      pen.fillStyle = colours.soft;
      pen.fillText(axisLabel(at, step), x + 4, 9);
    }
  }
}

// With as many digits as tell it from the label beside it.
function axisLabel(at, step) {
  if (Math.abs(at) < step / 2) return "trigger";
  const [unit, size] = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]].find(([, each]) => Math.abs(at) >= each) || ["ns", 1];
  return `${at < 0 ? "−" : "+"}${(Math.abs(at) / size).toFixed(Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9)))} ${unit}`;
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= least);
}

function drawTrigger(pen, view, left, width, height, head) {
  const x = left + view.x(head.fired, width - left);
  if (x < left || x > width) return;
  pen.fillStyle = colours.error;
  pen.fillRect(Math.round(x), 0, 1.5, height);
}
