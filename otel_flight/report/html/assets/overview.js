// The whole window in little: how many requests there were when, and a brush for the part to look at.

class Overview {
  constructor(recording, view, head) {
    this.recording = recording;
    this.view = view;
    this.head = head;
    this.canvas = new Canvas({
      class: "overview", tabindex: 0, role: "img",
      "aria-label": "Requests over the whole window. Drag to look at a part of it; plus and minus zoom, arrows pan, 0 shows all.",
    }, (pen, width, height) => this.draw(pen, width, height));
    byId("overview").append(this.canvas.node);
    view.on("time", () => this.canvas.refresh());
    view.on("found", () => this.canvas.refresh());
    this.listen();
  }

  at(x) {
    const [first, last] = this.view.axis;
    return first + (x - LEFT) / (this.canvas.width - LEFT) * (last - first);
  }

  x(ns) {
    const [first, last] = this.view.axis;
    return LEFT + (ns - first) / (last - first) * (this.canvas.width - LEFT);
  }

  listen() {
    const node = this.canvas.node;
    let begun = null;
    node.addEventListener("pointerdown", (event) => { begun = event.offsetX; node.setPointerCapture(event.pointerId); });
    node.addEventListener("pointermove", (event) => {
      if (begun === null || Math.abs(event.offsetX - begun) < 4) return;
      this.view.look(this.at(Math.min(begun, event.offsetX)), this.at(Math.max(begun, event.offsetX)));
    });
    node.addEventListener("pointerup", (event) => {
      if (begun !== null && Math.abs(event.offsetX - begun) < 4) {
        const half = this.view.length / 2, middle = this.at(event.offsetX);
        this.view.look(middle - half, middle + half);
      }
      begun = null;
    });
    node.addEventListener("dblclick", () => this.view.reset());
    node.addEventListener("keydown", (event) => {
      const moves = { "+": () => this.view.zoom(0.6), "=": () => this.view.zoom(0.6), "-": () => this.view.zoom(1 / 0.6),
        ArrowLeft: () => this.view.pan(-0.2), ArrowRight: () => this.view.pan(0.2), 0: () => this.view.reset() };
      if (moves[event.key]) { event.preventDefault(); moves[event.key](); }
    });
  }

  counts(width) {
    const { recording, view } = this;
    const key = `${width}`;
    if (this.key === key && this.foundThen === view.found) return this.known;
    const all = new Float64Array(width), failed = new Float64Array(width), found = new Float64Array(width);
    const [first, last] = view.axis;
    for (let row = 0; row < recording.count; row++) {
      if (recording.top[row] !== row && !(view.found && view.found[row])) continue;
      const from = Math.floor((recording.start[row] - first) / (last - first) * width);
      const to = Math.floor((recording.end(row) - first) / (last - first) * width);
      for (let x = Math.max(0, from); x <= Math.min(width - 1, to); x++) {
        if (recording.top[row] === row) {
          all[x]++;
          if (recording.is(row, ERROR)) failed[x]++;
        }
        if (view.found && view.found[row]) found[x]++;
      }
    }
    this.key = key;
    this.foundThen = view.found;
    this.known = { all, failed, found };
    return this.known;
  }

  draw(pen, width, height) {
    const { all, failed, found } = this.counts(Math.max(1, Math.round(width - LEFT)));
    const most = Math.max(1, ...all);
    pen.fillStyle = colours.soft;
    pen.fillText(`in flight, at most ${most}`, 8, height / 2, LEFT - 14);
    for (let x = 0; x < all.length; x++) {
      const bar = Math.sqrt(all[x] / most) * (height - 4);
      pen.fillStyle = colours.bar;
      pen.fillRect(LEFT + x, height - bar, 1, bar);
      if (failed[x]) {
        pen.fillStyle = colours.error;
        pen.fillRect(LEFT + x, height - Math.max(3, Math.sqrt(failed[x] / most) * (height - 4)), 1, height);
      }
      if (found[x]) {
        pen.fillStyle = colours.mark;
        pen.fillRect(LEFT + x, 0, 1, 4);
      }
    }
    const [from, to] = [this.x(this.view.from), this.x(this.view.to)];
    pen.globalAlpha = 0.55;
    pen.fillStyle = colours.paper;
    pen.fillRect(LEFT, 0, from - LEFT, height);
    pen.fillRect(to, 0, width - to, height);
    pen.globalAlpha = 1;
    pen.strokeStyle = colours.accent;
    pen.lineWidth = 1.5;
    pen.strokeRect(from, 0.75, Math.max(2, to - from - 0.75), height - 1.5);
    const fired = this.x(this.head.fired);
    pen.fillStyle = colours.error;
    pen.fillRect(fired, 0, 1.5, height);
  }
}
