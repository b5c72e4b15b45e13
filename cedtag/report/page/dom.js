// Elements, numbers as text, and colours. Text from the data only ever becomes text.

const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const number = new Intl.NumberFormat("en");
const plural = (count, noun) => `${number.format(count)} ${noun}${count === 1 ? "" : "s"}`;
const score = (tenThousandths) => (tenThousandths / 10000).toFixed(2);

function length(ms) {
  const seconds = ms / 1000;
  if (seconds < 60) return `${+seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${+(seconds / 60).toFixed(seconds < 600 ? 1 : 0)} min`;
  const hours = seconds / 3600;
  return `${hours < 10 ? hours.toFixed(1) : number.format(Math.round(hours))} h`;
}

function clock(seconds, decimals = 0) {
  const whole = Math.floor(seconds + 1e-6);
  const two = (value) => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const rest = decimals ? (seconds - whole).toFixed(decimals).slice(1) : "";
  return (h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`) + rest;
}

// The recorder's wall clock is kept as if it were UTC, so that no browser moves it to its own zone.
const dayText = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const wallClock = (ms) => `${dayText.format(ms)}, ${new Date(ms).toISOString().slice(11, 19)}`;

function splitName(path) {
  const at = path.lastIndexOf("/") + 1;
  return [path.slice(0, at), path.slice(at)];
}

// Canvases need the colours that the style's variables stand for in the present theme, until it changes.
const colours = new Map();
const forgetColours = () => colours.clear();

function colour(name) {
  if (!colours.has(name)) colours.set(name, computedColour(name));
  return colours.get(name);
}

function computedColour(name) {
  const probe = el("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function withAlpha(rgb, alpha) {
  const [r, g, b] = rgb.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

function sharpContext(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return context;
}
