// Everything on one axis: lanes of runtime events, then all requests with the spans within them.

const LEFT = 116, RULER = 18, LANE = 20, ROW = 17;

class Lanes {
  constructor(recording, requests, view, head) {
    Object.assign(this, { recording, requests, view, head });
    this.scroll = 0;
    this.sources = this.eventLanes();
    this.canvas = new Canvas({
      class: "lanes", tabindex: 0, role: "application", "aria-roledescription": "time axis",
      "aria-label": `Lanes of ${this.sources.map((each) => each.name).join(", ") || "no events"} and ${many(requests.tops.length, "request")}.`
        + " Plus and minus zoom, left and right pan, n and p go from request to request, Enter opens the one in the middle.",
    }, (pen, width, height) => this.draw(pen, width, height));
    byId("lanes").append(this.canvas.node, element("p", { class: "hint usage" },
      "Drag to pan, Ctrl and the wheel or + and − to zoom, double click to zoom to a request; drag over the bar above to look at a part."));
    this.canvas.node.style.height = `${Math.min(520, Math.max(150, this.top + requests.rows.length * ROW + 8))}px`;
    for (const what of ["time", "selection", "found", "evidence"]) view.on(what, () => this.canvas.refresh());
    view.on("selection", () => this.uncover());
    this.listen();
  }

  get top() { return RULER + this.sources.length * LANE + 4; }

  eventLanes() {
    const lanes = new Map();
    for (let number = 0; number < this.recording.eventCount; number++) {
      const event = this.recording.event(number);
      if (event.source === "process" || event.source === "pressure") continue; // those are charts
      const name = event.source === "stacks" ? "stack samples" : event.source.replaceAll("_", " ");
      if (!lanes.has(name)) lanes.set(name, { name, events: [] });
      lanes.get(name).events.push({ number, start: event.start, end: event.start + event.length, name: event.name });
    }
    return [...lanes.values()];
  }

  colourOfEvent(event) {
    if (event.name === "waiting") return colours.wait;
    if (event.name === "running") return colours.run;
    return /exception|error/.test(event.name) ? colours.error : colours.warn;
  }

  draw(pen, width, height) {
    const { view } = this;
    drawGrid(pen, view, LEFT, RULER, width, height, true);
    this.sources.forEach((lane, place) => this.drawLane(pen, lane, RULER + place * LANE, width));
    pen.save();
    pen.beginPath();
    pen.rect(0, this.top, width, height - this.top);
    pen.clip();
    this.drawRequests(pen, width, height);
    pen.restore();
    pen.fillStyle = colours.soft;
    pen.fillText("requests", 8, this.top + ROW / 2);
    drawTrigger(pen, view, LEFT, width, height, this.head);
    const rows = this.requests.rows.length, room = height - this.top;
    if (rows * ROW > room) {
      pen.fillStyle = colours.soft;
      pen.globalAlpha = 0.5;
      pen.fillRect(width - 5, this.top + this.scroll / (rows * ROW) * room, 4, Math.max(12, room * room / (rows * ROW)));
      pen.globalAlpha = 1;
    }
  }

  drawLane(pen, lane, y, width) {
    pen.fillStyle = colours.soft;
    pen.fillText(lane.name, 8, y + LANE / 2, LEFT - 14);
    pen.fillStyle = colours.line;
    pen.fillRect(0, y, width, 1);
    let last = -1;
    for (const event of lane.events) {
      const x = LEFT + this.view.x(event.start, width - LEFT);
      const end = LEFT + this.view.x(event.end, width - LEFT);
      if (end < LEFT || x > width) continue;
      const isMarked = this.view.isSelected("event", event.number) || this.view.evidence.events.has(event.number);
      if (!isMarked && Math.max(x + 2, end) <= last) continue;
      last = Math.max(x + 2, end);
      pen.fillStyle = isMarked ? colours.mark : this.colourOfEvent(event);
      const from = Math.max(LEFT, x);
      pen.fillRect(from, y + (isMarked ? 2 : 5), Math.max(2, end - from), LANE - (isMarked ? 4 : 9));
    }
  }

  drawRequests(pen, width, height) {
    const first = Math.max(0, Math.floor(this.scroll / ROW));
    const last = Math.min(this.requests.rows.length, Math.ceil((this.scroll + height - this.top) / ROW));
    const labels = [];
    for (let row = first; row < last; row++) {
      const y = this.top + row * ROW - this.scroll;
      const requests = this.requests.rows[row];
      let drawn = LEFT - 1;
      for (let at = this.requests.firstFrom(row, this.view.from); at < requests.length; at++) {
        const request = requests[at], top = this.requests.tops[request];
        const x = LEFT + this.view.x(this.recording.start[top], width - LEFT);
        if (x > width) break;
        const end = LEFT + this.view.x(this.requests.ends[request], width - LEFT);
        const state = this.state(request, top);
        if (end < drawn + 0.5 && state === "") continue;
        drawn = Math.max(drawn, end, x + 1);
        this.drawRequest(pen, request, top, x, end, y, width, state);
        if (end - x > 60) labels.push([top, Math.max(x, LEFT), Math.min(end, width), y]);
      }
    }
    for (const [top, x, end, y] of labels) {
      const text = oneLine(this.recording.name(top), 60);
      pen.fillStyle = colours.ink;
      pen.fillText(text, x + 4, y + 6.5, Math.max(1, end - x - 8));
    }
  }

  state(request, top) {
    const { view, recording } = this;
    if (top === this.requests.trigger) return "trigger";
    if (view.evidence.traces.has(recording.traceId(top)) || view.evidence.spans.has(top)) return "evidence";
    return recording.is(top, ERROR) ? "error" : "";
  }

  drawRequest(pen, request, top, x, end, y, width, state) {
    const { recording, view } = this;
    const isFound = view.found === null || this.hasFound(request);
    const left = Math.max(LEFT, x), right = Math.min(width, Math.max(end, x + 1));
    pen.globalAlpha = isFound ? 1 : 0.15;
    const colour = recording.is(top, ERROR) ? colours.error : colours[this.requests.colour(top)];
    pen.fillStyle = colour;
    pen.globalAlpha *= end - x > 6 ? 0.38 : 0.85;
    pen.fillRect(left, y + 1, Math.max(1, right - left), ROW - 3);
    pen.globalAlpha = isFound ? 1 : 0.15;
    if (end - x > 6) this.drawInside(pen, request, y, width, colour);
    pen.globalAlpha = 1;
    if (state === "trigger" || state === "evidence" || (view.selected && view.selected.kind === "span" && recording.top[view.selected.number] === top)) {
      pen.strokeStyle = state === "trigger" ? colours.error : colours.mark;
      pen.lineWidth = 1.5;
      pen.strokeRect(left - 0.5, y + 0.5, Math.max(2, right - left + 1), ROW - 2);
    }
  }

  // The spans below the topmost: thin lines, deeper ones lower.
  drawInside(pen, request, y, width, colour) {
    const { recording, view, requests } = this;
    const levels = Math.max(1, requests.deepest[request]);
    const thick = Math.max(1, 5 / levels);
    const drawn = new Float64Array(levels + 1);
    for (let at = requests.first[request]; at < requests.first[request + 1]; at++) {
      const row = requests.members[at], depth = recording.depth[row];
      if (depth === 0) continue;
      const x = LEFT + view.x(recording.start[row], width - LEFT);
      const end = Math.max(x + 1, LEFT + view.x(recording.end(row), width - LEFT));
      const isMarked = view.isSelected("span", row) || view.evidence.spans.has(row);
      if (end < LEFT || x > width || (!isMarked && end < drawn[depth] + 0.5)) continue;
      drawn[depth] = Math.max(drawn[depth], end);
      const left = Math.max(LEFT, x), strip = y + 10 + (depth - 1) * (5 / levels);
      pen.fillStyle = isMarked || (view.found && view.found[row]) ? colours.mark : recording.is(row, ERROR) ? colours.error : colour;
      pen.fillRect(left, isMarked ? y + 9 : strip, Math.min(width, end) - left, isMarked ? 6 : thick);
    }
  }

  hasFound(request) {
    const { members, first } = this.requests;
    for (let at = first[request]; at < first[request + 1]; at++) if (this.view.found[members[at]]) return true;
    return false;
  }

  // What stands at a place of the canvas: {kind, number} or null.
  at(x, y) {
    if (x < LEFT) return null;
    const width = this.canvas.width - LEFT, ns = this.view.ns(x - LEFT, width), near = this.view.length / width * 3;
    if (y < this.top) {
      const lane = this.sources[Math.floor((y - RULER) / LANE)];
      const event = lane && lane.events.find((each) => each.start - near <= ns && each.end + near >= ns);
      return event ? { kind: "event", number: event.number } : null;
    }
    const row = Math.floor((y - this.top + this.scroll) / ROW);
    if (!this.requests.rows[row]) return null;
    const at = this.requests.firstFrom(row, ns - near);
    const request = this.requests.rows[row][at];
    if (request === undefined || this.recording.start[this.requests.tops[request]] > ns + near) return null;
    return { kind: "span", number: this.innermost(request, ns, (y - this.top + this.scroll) % ROW) };
  }

  innermost(request, ns, y) {
    const { members, first, tops, deepest } = this.requests;
    const wanted = y < 9 ? 0 : Math.ceil((y - 9) / 5 * Math.max(1, deepest[request]));
    let found = tops[request];
    for (let at = first[request]; at < first[request + 1]; at++) {
      const row = members[at];
      const isHere = this.recording.start[row] <= ns && this.recording.end(row) >= ns;
      if (isHere && this.recording.depth[row] <= wanted && this.recording.depth[row] >= this.recording.depth[found]) found = row;
    }
    return found;
  }

  uncover() {
    const { selected } = this.view;
    if (selected === null || selected.kind !== "span") return;
    const row = this.requests.rowOf[this.requests.numberOf[this.recording.top[selected.number]]];
    const room = this.canvas.node.clientHeight - this.top;
    if (row * ROW < this.scroll || (row + 1) * ROW > this.scroll + room) this.scrollTo(row * ROW - room / 2);
  }

  scrollTo(pixels) {
    const most = Math.max(0, this.requests.rows.length * ROW + 8 - (this.canvas.node.clientHeight - this.top));
    const before = this.scroll;
    this.scroll = Math.min(Math.max(0, pixels), most);
    this.canvas.refresh();
    return this.scroll !== before;
  }

  listen() {
    const node = this.canvas.node;
    let pressed = null;
    moveTime(node, this.view, LEFT, { onDrag: (pixels) => this.scrollTo(this.scroll + pixels) });
    node.addEventListener("wheel", (event) => {
      const isAcross = event.ctrlKey || event.metaKey || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (!isAcross && this.scrollTo(this.scroll + event.deltaY)) event.preventDefault();
    }, { passive: false });
    node.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY]; });
    node.addEventListener("click", (event) => {
      if (pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4) return;
      const found = this.at(event.offsetX, event.offsetY);
      if (found) this.view.select(found.kind, found.number);
    });
    node.addEventListener("dblclick", (event) => {
      const found = this.at(event.offsetX, event.offsetY);
      if (!found || found.kind !== "span") return;
      const top = this.recording.top[found.number];
      const room = Math.max(this.recording.length[top] * 0.1, 1e4);
      this.view.look(this.recording.start[top] - room, this.recording.end(top) + room);
    });
    node.addEventListener("pointermove", (event) => {
      const found = event.buttons ? null : this.at(event.offsetX, event.offsetY);
      node.style.cursor = found ? "pointer" : "grab";
      if (found) showTip(event, tipOf(this.recording, found)); else hideTip();
    });
    node.addEventListener("pointerleave", hideTip);
    node.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      event.preventDefault();
      this.scrollTo(this.scroll + (event.key === "ArrowUp" ? -ROW : ROW) * 3);
    }
    const step = { n: 1, p: -1, Enter: 0 }[event.key];
    if (step === undefined || !this.requests.tops.length) return;
    const { recording, requests, view } = this;
    let request = view.selected && view.selected.kind === "span" ? requests.numberOf[recording.top[view.selected.number]] + step : -1;
    if (request < 0) {
      const middle = (view.from + view.to) / 2;
      request = requests.tops.findIndex((top) => recording.start[top] >= middle);
    }
    const top = requests.tops[Math.min(Math.max(request, 0), requests.tops.length - 1)];
    view.show(recording.start[top], recording.end(top));
    view.select("span", top);
  }
}

function tipOf(recording, found) {
  if (found.kind === "span") {
    const row = found.number;
    const state = recording.is(row, ERROR) ? ", failed" : recording.is(row, OPEN) ? ", still open" : "";
    const lines = [oneLine(recording.name(row), 120), `${duration(recording.length[row])} at ${offset(recording.start[row])}${state}`];
    if (recording.top[row] !== row) lines.push(`in ${oneLine(recording.name(recording.top[row]), 100)}`);
    return lines;
  }
  const event = recording.event(found.number);
  return [event.name, `${event.length ? duration(event.length) : "a moment"} at ${offset(event.start)}`, oneLine(event.words, 160)];
}
