// Elements are made of texts, never of markup; numbers and times become words.

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((each) => each !== null && each !== undefined && each !== false && each !== ""));
  return made;
}

const byId = (id) => document.getElementById(id);

// A name from outside stands apart from our words, whichever direction it is written in.
function recorded(text, properties = {}) {
  return element("bdi", { class: "recorded", ...properties }, visible(text));
}

// A sentence of ours with names from outside between backquotes.
function withNames(sentence) {
  return sentence.split("`").map((each, place) => (place % 2 ? recorded(each, { class: "recorded code" }) : visible(each)));
}

// Control characters are shown as pictures, so that none is overlooked; so are those that turn text around.
function visible(text) {
  return String(text)
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (each) => String.fromCharCode(0x2400 + each.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function oneLine(text, longest = 300) {
  const flat = visible(String(text).slice(0, longest + 1).replace(/\s+/g, " "));
  return flat.length > longest ? `${flat.slice(0, longest)}…` : flat;
}

function duration(ns) {
  const size = Math.abs(ns);
  if (size < 1e3) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${trimmed(ns / 1e3)} µs`;
  if (size < 1e9) return `${trimmed(ns / 1e6)} ms`;
  if (size < 120e9) return `${trimmed(ns / 1e9)} s`;
  return size < 7200e9 ? `${trimmed(ns / 60e9)} min` : `${trimmed(ns / 3600e9)} h`;
}

function trimmed(number) {
  const digits = Math.abs(number) < 10 ? 2 : Math.abs(number) < 100 ? 1 : 0;
  return number.toFixed(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

function bytes(number) {
  if (number < 1024) return `${number} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let unit = -1;
  while (number >= 1024 && unit < units.length - 1) { number /= 1024; unit++; }
  return `${trimmed(number)} ${units[unit]}`;
}

const many = (number, noun, plural = `${noun}s`) => `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;

const offset = (ns) => `${ns < 0 ? "−" : "+"}${duration(Math.abs(ns))}`;

function clock(ns, head) {
  const whole = head.opened_seconds * 1000 + Math.floor((head.opened_rest_ns + ns) / 1e6);
  const moment = new Date(whole);
  return Number.isNaN(moment.getTime()) ? "" : moment.toISOString().slice(11, 23);
}

function say(text) { byId("said").textContent = text; }

async function copy(text, button) {
  const before = button.textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { class: "hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
  }
  button.textContent = done ? "Copied" : "Not allowed here";
  say(button.textContent);
  setTimeout(() => { button.textContent = before; }, 1500);
}

// A canvas as sharp as the screen; `draw` is called at most once a frame.
class Canvas {
  constructor(properties, draw) {
    this.node = element("canvas", properties);
    this.draw = draw;
    this.width = this.height = 0;
    this.waiting = false;
    new ResizeObserver(() => this.refresh()).observe(this.node);
  }

  refresh() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const scale = window.devicePixelRatio || 1;
      this.width = this.node.clientWidth;
      this.height = this.node.clientHeight;
      const [width, height] = [Math.round(this.width * scale), Math.round(this.height * scale)];
      if (this.node.width !== width) this.node.width = width;
      if (this.node.height !== height) this.node.height = height;
      const pen = this.node.getContext("2d");
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, this.width, this.height);
      pen.font = "11px system-ui, sans-serif";
      pen.textBaseline = "middle";
      if (this.width > 0) this.draw(pen, this.width, this.height);
    });
  }
}

// The colours of the style sheet, by their names, as they are in force.
const colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "line", "paper", "panel", "accent", "error", "warn", "mark", "bar", "wait", "run",
    "route-0", "route-1", "route-2", "route-3", "route-4", "route-5", "route-6"]) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

function showTip(event, lines) {
  const tip = byId("tip");
  tip.replaceChildren(...lines.map((each) => element("div", {}, each)));
  tip.classList.add("shown");
  const x = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
  const y = event.clientY + 18 + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18;
  tip.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
}

function hideTip() { byId("tip").classList.remove("shown"); }
