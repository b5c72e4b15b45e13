// The archive as a whole: classes by hours, the clock, problems.

const FEW_CLASSES = 12;
const MANY_CLASSES = 600;
const ONE_DATE = 60; // pixels, which a map of one day is too narrow for

function showClasses(archive, filter, found, all, onToggle) {
  const heard = [...found.classMs.keys()].filter((place) => (filter.typed === "" ? found.classMs[place] > 0 : archive.foldedClasses[place].includes(filter.typed)) || filter.classes.has(place));
  heard.sort((a, b) => found.classMs[b] - found.classMs[a] || a - b);
  const most = heard.length ? found.classMs[heard[0]] : 0;
  const shown = heard.slice(0, all ? MANY_CLASSES : FEW_CLASSES);
  $("classes").replaceChildren(...shown.map((place) => {
    const bar = el("span", { class: "bar" });
    bar.style.width = `${most ? (100 * found.classMs[place]) / most : 0}%`;
    const chosen = filter.classes.has(place);
    return el("li", {},
      el("button", { type: "button", "aria-pressed": String(chosen), click: () => onToggle(place) },
        el("span", { class: "name", title: archive.classes[place] }, archive.classes[place]),
        el("span", { class: "track" }, bar),
        el("span", { class: "value" }, length(found.classMs[place]))));
  }));
  const nothing = filter.typed ? `No class that is heard is called “${filter.typed}”.` : "Nothing is heard with this score.";
  if (!shown.length) $("classes").append(el("li", { class: "muted" }, nothing));
  const more = $("more-classes");
  more.hidden = heard.length <= FEW_CLASSES;
  more.textContent = all ? `Show the first ${FEW_CLASSES}` : `Show all ${number.format(heard.length)}`;
}

function showProblems(archive, onChoose, onAll) {
  const wrong = [...archive.status.keys()].filter((recording) => archive.status[recording] > 0);
  $("problems-card").hidden = wrong.length === 0;
  $("problems").replaceChildren(...wrong.slice(0, 6).map((recording) =>
    el("li", {},
      el("button", { type: "button", class: "link", click: () => onChoose(recording) }, splitName(archive.names[recording])[1]),
      " ", badge(archive, recording),
      el("div", { class: "muted small clip" }, archive.notes[recording] ?? ""))));
  $("all-problems").textContent = `Show all ${number.format(wrong.length)} in the list`;
  $("all-problems").hidden = wrong.length <= 6;
  $("all-problems").onclick = onAll;
}

function badge(archive, recording) {
  const status = STATUSES[archive.status[recording]];
  return status === "ok" ? "" : el("span", { class: `badge ${status}` }, status);
}

// A column per day, a row per hour; the stronger the colour, the larger the part of the recorded time with a hit.
class ClockMap {
  constructor(canvas, text, onChoose) {
    Object.assign(this, { canvas, text, onChoose, days: [], at: null });
    this.mark = el("div", { class: "mark", hidden: "" });
    canvas.after(this.mark);
    canvas.addEventListener("mousemove", (event) => this.point(this.cellAt(event)));
    canvas.addEventListener("mouseleave", () => this.point(null));
    canvas.addEventListener("click", (event) => this.choose(this.cellAt(event)));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  show(archive, found, chosenHour) {
    if (!this.days.length) this.days = daysOf(archive, found.hours.recorded);
    Object.assign(this, found.hours, { firstHour: archive.firstHour, chosen: chosenHour });
    this.draw();
  }

  draw() {
    if (!this.days.length) return;
    const room = this.canvas.parentElement.clientWidth - 1;
    const [left, top] = [34, 18];
    const cell = Math.max(4, Math.min(26, Math.floor((room - left) / this.days.length)));
    const high = 11;
    Object.assign(this, { left, top, cell, high });
    const wide = Math.max(left + cell * this.days.length, left + ONE_DATE);
    const context = sharpContext(this.canvas, wide + 1, top + 24 * high + 1);
    const [ink, accent, empty] = [colour("--muted"), colour("--accent"), colour("--line")];
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = ink;
    for (let hour = 0; hour < 24; hour += 6) context.fillText(`${String(hour).padStart(2, "0")}:00`, 0, top + hour * high + 9);
    this.drawDays(context, wide);
    const most = this.heard.reduce((most, heard, at) => Math.max(most, heard / (this.recorded[at] || 1)), 1e-9);
    const shades = Array.from({ length: 21 }, (_, level) => (level ? withAlpha(accent, 0.15 + 0.0425 * level) : withAlpha(empty, 0.7)));
    this.days.forEach((day, column) => {
      for (let row = 0; row < 24; row++) {
        const at = day * 24 + row - this.firstHour;
        if (!this.recorded[at]) continue;
        context.fillStyle = shades[Math.min(20, Math.ceil((20 * this.heard[at]) / this.recorded[at] / most))];
        context.fillRect(left + column * cell, top + row * high, cell - 1, high - 1);
      }
    });
    if (this.chosen !== null) this.outline(context, ...this.cornerOf(this.chosen));
    this.point(null);
    this.canvas.setAttribute("aria-label",
      `Part of the recorded time with a hit, for ${plural(this.days.length, "day")} and 24 hours. Arrow keys move, Enter filters.`);
  }

  drawDays(context, wide) {
    let free = 0;
    this.days.forEach((day, column) => {
      const x = this.left + column * this.cell;
      const date = new Date(day * 24 * HOUR_MS);
      const text = `${date.getUTCDate()} ${date.toLocaleString("en", { month: "short", timeZone: "UTC" })}`;
      if (x < free || x + context.measureText(text).width > wide) return;
      context.fillText(text, x, 11);
      free = x + context.measureText(text).width + 12;
    });
  }

  cornerOf(hour) {
    const column = this.days.indexOf(Math.floor(hour / 24));
    return [this.left + column * this.cell - 0.5, this.top + hourOfDay(hour) * this.high - 0.5];
  }

  outline(context, x, y) {
    context.strokeStyle = colour("--ink");
    context.lineWidth = 2;
    context.strokeRect(x, y, this.cell, this.high);
  }

  cellAt(event) {
    const column = Math.floor((event.offsetX - this.left) / this.cell);
    const row = Math.floor((event.offsetY - this.top) / this.high);
    return column >= 0 && column < this.days.length && row >= 0 && row < 24 ? this.days[column] * 24 + row : null;
  }

  point(hour) {
    if (hour === this.at) return;
    this.at = hour;
    this.mark.hidden = hour === null;
    if (hour !== null) {
      const [x, y] = this.cornerOf(hour);
      Object.assign(this.mark.style, { left: `${x}px`, top: `${y}px`, width: `${this.cell + 1}px`, height: `${this.high + 1}px` });
    }
    this.say(hour ?? this.chosen);
  }

  say(hour) {
    if (hour === null) {
      this.text.textContent = "The stronger the colour, the larger the part of the recorded time. Choose a class to see when it is heard; click an hour to filter by it.";
      return;
    }
    const [heard, recorded] = [this.heard, this.recorded].map((hours) => hours[hour - this.firstHour] ?? 0);
    const when = `${dayText.format(hour * HOUR_MS)}, ${String(hourOfDay(hour)).padStart(2, "0")}:00`;
    this.text.textContent = recorded ? `${when}: ${length(heard)} of ${length(recorded)} recorded` : `${when}: nothing recorded`;
  }

  choose(hour) {
    if (hour !== null) this.onChoose(hour === this.chosen ? null : hour);
  }

  onKey(event) {
    const moves = { ArrowLeft: -24, ArrowRight: 24, ArrowUp: -1, ArrowDown: 1 };
    if (event.key === "Enter") this.choose(this.at);
    else if (event.key in moves) this.point(this.within((this.at ?? this.chosen ?? this.days[0] * 24) + moves[event.key]));
    else return;
    event.preventDefault();
  }

  within(hour) {
    return Math.max(this.days[0] * 24, Math.min(this.days.at(-1) * 24 + 23, hour));
  }
}

const hourOfDay = (hour) => ((hour % 24) + 24) % 24;

// All days from the first to the last; of archives over many years only those with recordings.
function daysOf(archive, recorded) {
  if (!archive.numHours) return [];
  const first = Math.floor(archive.firstHour / 24);
  const days = Array.from({ length: Math.floor((archive.firstHour + archive.numHours - 1) / 24) - first + 1 }, (_, i) => first + i);
  if (days.length <= 800) return days;
  const used = new Set();
  recorded.forEach((ms, at) => ms && used.add(Math.floor((archive.firstHour + at) / 24)));
  return days.filter((day) => used.has(day));
}
