"use strict";
// What was recorded, as the page asks for it. Times are nanoseconds from the opening of the incident.

const ERROR = 1, OPEN = 2, ROOT = 4, SAMPLED = 8;
const KINDS = ["internal", "server", "client", "producer", "consumer"];

function headData() {
  return JSON.parse(document.getElementById("head-data").textContent);
}

async function windowData() {
  const text = atob(document.getElementById("window-data").textContent);
  const bytes = Uint8Array.from(text, (each) => each.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Recording(await new Response(stream).json());
}

class Recording {
  constructor(data) {
    this.data = data;
    const spans = data.spans;
    this.count = spans.start.length;
    this.start = Float64Array.from(spans.start);
    this.length = Float64Array.from(spans.length);
    this.parent = Int32Array.from(spans.parent);
    this.flags = Uint8Array.from(spans.flags);
    this.nameOf = Int32Array.from(spans.name);
    this.traceOf = Int32Array.from(spans.trace);
    this.flat = Int32Array.from(data.attributes.flat);
    this.events = data.events;
    this.eventCount = data.events.start.length;
    this.values = data.attributes.values;
    const sizes = data.attributes.shapes.map((each) => each.length);
    let at = 0;
    const places = (keys) => Int32Array.from(keys, (each) => (at += sizes[each]) - sizes[each]);
    this.spanValues = places(spans.keys);
    this.eventValues = places(data.events.keys);
    this.rows = new Map();
    for (let row = 0; row < this.count; row++) this.rows.set(this.spanId(row), row);
    this.linkTree();
  }

  // Finds for each span its topmost span and its depth, and stops at a circle.
  linkTree() {
    this.top = new Int32Array(this.count).fill(-1);
    this.depth = new Uint16Array(this.count);
    for (let row = 0; row < this.count; row++) {
      const path = [];
      let above = row;
      while (this.top[above] < 0 && path.length < 10000) {
        path.push(above);
        this.top[above] = above;
        if (this.parent[above] < 0) break;
        above = this.parent[above];
      }
      if (path[path.length - 1] === above) path.pop();
      for (let each = path.pop(); each !== undefined; each = path.pop()) {
        this.top[each] = this.top[this.parent[each]];
        this.depth[each] = this.depth[this.parent[each]] + 1;
      }
    }
  }

  text(place) { return this.data.texts[place]; }
  name(row) { return this.text(this.nameOf[row]); }
  end(row) { return this.start[row] + this.length[row]; }
  is(row, flag) { return (this.flags[row] & flag) !== 0; }
  spanId(row) { return this.data.spans.ids.slice(row * 16, row * 16 + 16); }
  traceId(row) { return this.data.spans.traces[this.traceOf[row]]; }
  more(row) { return this.data.spans.more[row] || {}; }
  attributes(row) { return this.pairs(this.data.spans.keys[row], this.spanValues[row]); }
  eventAttributes(number) { return this.pairs(this.events.keys[number], this.eventValues[number]); }

  pairs(shape, first) {
    const { keys, shapes } = this.data.attributes;
    return shapes[shape].map((key, place) => [keys[key], this.values[this.flat[first + place]]]);
  }

  rowsOfTrace(trace) {
    const place = this.data.spans.traces.indexOf(trace);
    const found = [];
    for (let row = 0; row < this.count && place >= 0; row++) if (this.traceOf[row] === place) found.push(row);
    return found;
  }

  frames(stack) {
    if (stack < 0) return [];
    return this.events.stacks[stack].map((each) => {
      const [code, file, line] = this.events.frames[each];
      return { code: this.text(code), file: this.text(file), line };
    });
  }

  event(number) {
    const { events } = this;
    return {
      number, source: this.text(events.source[number]), name: this.text(events.name[number]),
      start: events.start[number], length: events.length[number], thread: this.text(events.thread[number]),
      trace: events.traces[events.trace[number]], span: this.text(events.span[number]),
      words: this.text(events.words[number]), stack: events.stack[number],
    };
  }

  eventsOf(source) {
    const place = this.data.texts.indexOf(source);
    const found = [];
    for (let number = 0; number < this.eventCount; number++) {
      if (this.events.source[number] === place) found.push(number);
    }
    return found;
  }
}
