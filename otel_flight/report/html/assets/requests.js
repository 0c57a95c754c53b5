// Which requests there are, which rows they stand in, and which spans are below which.

const ROUTES = 7, MOST_LONG = 20, MOST_ROWS = 4000;

class Requests {
  constructor(recording, triggerRow) {
    this.recording = recording;
    this.trigger = triggerRow < 0 ? -1 : recording.top[triggerRow];
    this.sortByTop();
    this.countRoutes();
    this.place();
  }

  // The spans of a request stand together in `members`, from `first[request]` to `first[request + 1]`.
  sortByTop() {
    const { recording } = this;
    this.tops = [];
    this.numberOf = new Int32Array(recording.count).fill(-1);
    for (let row = 0; row < recording.count; row++) {
      if (recording.top[row] === row) this.numberOf[row] = this.tops.push(row) - 1;
    }
    const sizes = new Int32Array(this.tops.length + 1);
    for (let row = 0; row < recording.count; row++) sizes[this.numberOf[recording.top[row]] + 1]++;
    for (let each = 1; each < sizes.length; each++) sizes[each] += sizes[each - 1];
    this.first = sizes;
    const next = sizes.slice();
    this.members = new Int32Array(recording.count);
    this.ends = new Float64Array(this.tops.length);
    this.deepest = new Uint16Array(this.tops.length);
    for (let row = 0; row < recording.count; row++) {
      const request = this.numberOf[recording.top[row]];
      this.members[next[request]++] = row;
      this.ends[request] = Math.max(this.ends[request], recording.end(row), recording.start[this.tops[request]]);
      this.deepest[request] = Math.max(this.deepest[request], recording.depth[row]);
    }
    this.tops.forEach((top, request) => {
      let end = recording.end(top);
      for (let at = this.first[request]; at < this.first[request + 1]; at++) end = Math.max(end, recording.end(this.members[at]));
      this.ends[request] = end;
    });
  }

  countRoutes() {
    const counts = new Map();
    for (const top of this.tops) {
      const name = this.recording.nameOf[top];
      counts.set(name, (counts.get(name) || 0) + 1);
    }
    this.routes = [...counts].sort((one, other) => other[1] - one[1]);
    this.colourOf = new Map(this.routes.slice(0, ROUTES).map(([name], place) => [name, `route-${place}`]));
  }

  colour(top) { return this.colourOf.get(this.recording.nameOf[top]) || "bar"; }

  // Each request gets the first row that is free. The trigger's has the first one to itself; those that ran beside it
  // for long have the next ones, as they are the first to be suspected.
  place() {
    this.rowOf = new Int32Array(this.tops.length);
    this.rows = [[]];
    const free = [Infinity];
    if (this.trigger >= 0) this.rows[0].push(this.numberOf[this.trigger]);
    const others = this.tops.map((top, request) => request).filter((request) => this.tops[request] !== this.trigger);
    const long = others.filter((request) => this.isLongBeside(request)).slice(0, MOST_LONG);
    this.fill(long, free, 1);
    const isPlaced = new Set(long);
    this.fill(others.filter((request) => !isPlaced.has(request)), free, free.length);
    if (this.trigger < 0 && this.rows.length > 1) {
      this.rows.shift();
      this.rowOf = this.rowOf.map((row) => row - 1);
    }
  }

  isLongBeside(request) {
    if (this.trigger < 0) return false;
    const { start } = this.recording, from = start[this.trigger], to = this.ends[this.numberOf[this.trigger]];
    return Math.min(to, this.ends[request]) - Math.max(from, start[this.tops[request]]) > (to - from) * 0.3;
  }

  fill(requests, free, firstRow) {
    for (const request of requests) {
      const start = this.recording.start[this.tops[request]];
      let row = firstRow;
      while (row < free.length && free[row] > start && row < MOST_ROWS) row++;
      if (row === free.length) { free.push(0); this.rows.push([]); }
      free[row] = this.ends[request];
      this.rowOf[request] = row;
      this.rows[row].push(request);
    }
  }

  // The first request of a row that may be seen from a time on; a row's requests do not overlap.
  firstFrom(row, from) {
    const requests = this.rows[row];
    let low = 0, high = requests.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[requests[middle]] < from) low = middle + 1; else high = middle;
    }
    return low;
  }
}
