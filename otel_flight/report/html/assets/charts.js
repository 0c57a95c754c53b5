// Memory, CPU and what else was measured, as small charts on the same axis.

const VITALS = "process vitals", STALLED = "flight_recorder.pressure.stalled_ns";
const CHART_NAMES = [
  [VITALS, "process.memory.usage", "memory", bytes],
  [VITALS, "container.memory.usage", "container memory", bytes],
  [VITALS, "process.cpu.utilization", "CPU, of all", (each) => `${trimmed(each * 100)} %`],
  ["cpu throttled", "flight_recorder.throttled.time_ns", "CPU throttled", duration],
  ["cpu pressure", STALLED, "waits for a CPU", duration],
  ["memory pressure", STALLED, "waits for memory", duration],
  ["io pressure", STALLED, "waits for a disk", duration],
];
const MORE_CHART_NAMES = [
  [VITALS, "process.thread.count", "threads", trimmed],
  [VITALS, "flight_recorder.asyncio.tasks", "asyncio tasks", trimmed],
  [VITALS, "process.open_file_descriptor.count", "open files", trimmed],
  [VITALS, "process.context_switches.involuntary", "preempted", trimmed],
];
const CHART = 34;

class Charts {
  constructor(recording, view, head, names, title = "") {
    Object.assign(this, { view, head });
    this.series = this.read(recording, names);
    if (!this.series.length) return;
    const said = this.series.map((each) => `${each.name} from ${each.words(each.least)} to ${each.words(each.most)}`);
    this.canvas = new Canvas({ class: "charts", role: "img", "aria-label": `Measured: ${said.join("; ")}.` },
      (pen, width, height) => this.draw(pen, width, height));
    this.canvas.node.style.height = `${this.series.length * CHART}px`;
    byId("charts").append(title ? element("details", {}, element("summary", {}, title), this.canvas.node) : this.canvas.node);
    view.on("time", () => this.canvas.refresh());
    moveTime(this.canvas.node, view, LEFT);
    this.canvas.node.addEventListener("pointermove", (event) => this.tip(event));
    this.canvas.node.addEventListener("pointerleave", hideTip);
  }

  read(recording, names) {
    const found = new Map();
    for (let number = 0; number < recording.eventCount; number++) {
      const { start, length, name } = recording.event(number);
      if (!names.some((each) => each[0] === name)) continue;
      for (const [key, value] of recording.eventAttributes(number)) {
        if (typeof value !== "number") continue;
        const measured = `${name} ${key}`;
        if (!found.has(measured)) found.set(measured, []);
        found.get(measured).push([start + length, value]);
      }
    }
    return names.filter(([event, key]) => (found.get(`${event} ${key}`) || []).length > 1).map(([event, key, name, words]) => {
      const points = found.get(`${event} ${key}`), values = points.map((each) => each[1]);
      return { name, words, points, least: Math.min(...values), most: Math.max(...values) };
    });
  }

  draw(pen, width, height) {
    drawGrid(pen, this.view, LEFT, 0, width, height, false);
    this.series.forEach((each, place) => {
      const y = place * CHART;
      pen.fillStyle = colours.ink;
      pen.fillText(each.name, 8, y + 10, LEFT - 14);
      pen.fillStyle = colours.soft;
      pen.fillText(each.words(each.most), 8, y + 24, LEFT - 14);
      pen.fillStyle = colours.line;
      pen.fillRect(0, y + CHART - 1, width, 1);
      this.line(pen, each, y, width);
    });
    drawTrigger(pen, this.view, LEFT, width, height, this.head);
  }

  // From zero, so that a bar half as high is half as much.
  line(pen, each, y, width) {
    const scale = (CHART - 10) / (each.most || 1);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, y, width - LEFT, CHART);
    pen.clip();
    pen.beginPath();
    each.points.forEach(([at, value], place) => {
      const x = LEFT + this.view.x(at, width - LEFT);
      pen[place ? "lineTo" : "moveTo"](x, y + CHART - 3 - Math.max(0, value) * scale);
    });
    pen.strokeStyle = colours.accent;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.lineTo(LEFT + this.view.x(each.points[each.points.length - 1][0], width - LEFT), y + CHART - 2);
    pen.lineTo(LEFT + this.view.x(each.points[0][0], width - LEFT), y + CHART - 2);
    pen.globalAlpha = 0.12;
    pen.fillStyle = colours.accent;
    pen.fill();
    pen.restore();
  }

  tip(event) {
    const series = this.series[Math.floor(event.offsetY / CHART)];
    if (!series || event.offsetX < LEFT) { hideTip(); return; }
    const ns = this.view.ns(event.offsetX - LEFT, this.canvas.width - LEFT);
    const nearest = series.points.reduce((one, other) => (Math.abs(other[0] - ns) < Math.abs(one[0] - ns) ? other : one));
    showTip(event, [`${series.name}: ${series.words(nearest[1])}`, offset(nearest[0])]);
  }
}
