// One recording: a lane per class over time, to point at, zoom and listen to.

const LANE_PX = 24;

class Timeline {
  constructor(archive, onTime) {
    Object.assign(this, { archive, recording: -1, chart: null, box: $("timeline"), audio: $("audio") });
    this.audio.addEventListener("timeupdate", () => this.movePlayhead());
    this.audio.addEventListener("error", () => this.noAudio());
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    let width = 0;
    new ResizeObserver(() => {
      if (this.chart && this.box.clientWidth !== width) this.draw();
      width = this.box.clientWidth;
    }).observe(this.box);
  }

  show(recording, filter) {
    const { archive } = this;
    const same = recording === this.recording;
    Object.assign(this, { recording, filter });
    const [folder, name] = splitName(archive.names[recording]);
    $("detail-title").textContent = name;
    $("detail-folder").textContent = folder;
    const started = archive.started[recording];
    $("detail-facts").replaceChildren(
      [length(archive.duration[recording]), ...(Number.isNaN(started) ? [] : [`from ${wallClock(started)}`])].join(" · "),
      " ", badge(archive, recording));
    $("detail-note").textContent = archive.notes[recording] ?? "";
    $("detail-note").hidden = !archive.notes[recording];
    if (!same) this.loadAudio();
    this.draw();
  }

  loadAudio() {
    this.audio.pause();
    $("audio-text").hidden = true;
    const failed = STATUSES[this.archive.status[this.recording]] === "failed";
    this.audio.hidden = failed;
    if (failed) this.audio.removeAttribute("src");
    else this.audio.src = this.archive.links[this.recording];
    this.audio.preload = "metadata";
  }

  noAudio() {
    if (!this.audio.getAttribute("src")) return;
    this.audio.hidden = true;
    $("audio-text").hidden = false;
    $("audio-text").textContent = "There is nothing to listen to: the file is not where it was when this page was made, or this browser cannot play it.";
  }

  lanes() {
    const best = classesOf(this.archive, this.recording, this.filter.score);
    const chosen = best.filter(([place]) => this.filter.classes.has(place));
    const others = best.filter(([place]) => !this.filter.classes.has(place));
    return [...chosen, ...others].slice(0, Math.max(12, chosen.length)).map(([place]) => place);
  }

  draw() {
    this.chart?.destroy();
    this.chart = null;
    const { archive, recording } = this;
    const lanes = this.lanes();
    const nothing = lanes.length === 0;
    this.box.hidden = $("timeline-help").hidden = nothing;
    $("readout").textContent = nothing ? "Nothing is heard with this score." : "";
    if (nothing) return;
    const seconds = Math.max(0.001, archive.duration[recording] / 1000);
    const narrow = this.box.clientWidth < 520;
    const names = lanes.map((place) => shortened(archive.classes[place], narrow ? 16 : 28));
    const laneOf = new Map(lanes.map((place, lane) => [place, lane]));
    const ink = colour("--ink"), line = colour("--line");
    const font = "12px system-ui, sans-serif";
    this.playhead = el("div", { class: "playhead", hidden: "" });
    this.box.setAttribute("aria-label", `Timeline of ${archive.names[recording]}: ${plural(lanes.length, "class")}`.replace("classs", "classes"));
    this.chart = new uPlot({
      width: this.box.clientWidth,
      height: lanes.length * LANE_PX + 34,
      padding: [4, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
      scales: { x: { time: false, range: (_, min, max) => [Math.max(0, min), Math.min(seconds, max)] }, y: { range: [-0.5, lanes.length - 0.5], dir: -1 } },
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      axes: [
        { stroke: ink, font, size: 30, grid: { stroke: line, width: 1 }, ticks: { show: false }, space: narrow ? 60 : 80,
          incrs: [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400],
          values: (_, splits, __, ___, step) => splits.map((value) => clock(value, step < 1 ? 1 : 0)) },
        { stroke: ink, font, size: labelWidth(names), gap: 8, grid: { show: false }, ticks: { show: false },
          splits: () => lanes.map((_, lane) => lane),
          values: () => names },
      ],
      hooks: {
        drawClear: [(chart) => this.drawLanes(chart, laneOf)],
        setCursor: [(chart) => this.readOut(chart.cursor.left >= 0 ? chart.posToVal(chart.cursor.left, "x") : null)],
        setScale: [() => this.movePlayhead()],
        ready: [(chart) => { chart.over.append(this.playhead); this.listenTo(chart); }],
      },
    }, [[0, seconds], [null, null]], this.box);
  }

  drawLanes(chart, laneOf) {
    const { left, top, width, height } = chart.bbox;
    const { min, max } = chart.scales.x;
    const high = height / laneOf.size;
    const context = chart.ctx;
    const columns = Math.max(1, Math.round(width));
    const [accent, track] = [colour("--accent"), colour("--track")];
    const peaks = columnPeaks(this.archive, this.recording, this.filter.score, columns, min * 1000, max * 1000,
      (place) => laneOf.get(place) ?? -1, laneOf.size);
    peaks.forEach((lane, at) => {
      const y = top + at * high;
      context.fillStyle = track;
      context.fillRect(left, y + high * 0.12, width, high * 0.76);
      forRuns(lane, (from, to, peak) => {
        context.fillStyle = withAlpha(accent, 0.08 + (0.92 * peak) / 10000);
        context.fillRect(left + from, y + high * 0.12, to - from, high * 0.76);
      });
    });
  }

  listenTo(chart) {
    let downAt = null;
    chart.over.addEventListener("mousedown", (event) => { downAt = event.clientX; });
    chart.over.addEventListener("click", (event) => {
      if (downAt !== null && Math.abs(event.clientX - downAt) < 4) this.playFrom(chart.posToVal(event.offsetX, "x"));
    });
  }

  playFrom(seconds) {
    if (this.audio.hidden) return;
    this.audio.currentTime = seconds;
    this.audio.play().catch(() => {}); // its "error" event tells
    this.movePlayhead();
  }

  movePlayhead() {
    if (!this.chart || !this.playhead) return;
    const { min, max } = this.chart.scales.x;
    const at = this.audio.currentTime;
    this.playhead.hidden = this.audio.hidden || !(at > 0) || at < min || at > max;
    if (!this.playhead.hidden) this.playhead.style.left = `${this.chart.valToPos(at, "x")}px`;
  }

  readOut(seconds) {
    if (seconds === null || Number.isNaN(seconds)) return;
    const { archive, recording, filter } = this;
    const found = new Map();
    let [from, to] = [Infinity, -Infinity];
    for (let step = archive.firstStep[recording]; step < archive.firstStep[recording + 1]; step++) {
      if (archive.step_start[step] > seconds * 1000 || archive.step_stop[step] <= seconds * 1000) continue;
      from = Math.min(from, archive.step_start[step]);
      to = Math.max(to, archive.step_stop[step]);
      for (let tag = archive.firstTag[step]; tag < archive.firstTag[step + 1]; tag++) {
        const place = archive.tag_class[tag];
        if (archive.tag_score[tag] >= filter.score) found.set(place, Math.max(found.get(place) ?? 0, archive.tag_score[tag]));
      }
    }
    const tags = [...found].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 6);
    const started = archive.started[recording];
    const when = Number.isNaN(started) ? "" : ` (${wallClock(started + seconds * 1000).slice(-8)})`;
    $("readout").replaceChildren(
      el("strong", {}, found.size ? `${clock(from / 1000, 1)} – ${clock(to / 1000, 1)}${when}` : `${clock(seconds, 1)}${when}`),
      tags.length ? "  " + tags.map(([place, best]) => `${archive.classes[place]} ${score(best)}`).join(" · ") : "  nothing with this score");
  }

  onKey(event) {
    const { chart, archive, recording } = this;
    if (!chart || chart.status === 0) return; // uPlot settles its scales a moment after it was made
    const { min, max } = chart.scales.x;
    const at = chart.cursor.left >= 0 ? chart.posToVal(chart.cursor.left, "x") : min;
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const next = nextStep(archive, recording, at * 1000, event.key === "ArrowRight");
      if (next !== null) {
        const [from, to] = [next / 1000 < min ? next / 1000 : min, next / 1000 > max ? next / 1000 + 1 : max];
        if (from !== min || to !== max) chart.setScale("x", { min: from, max: to });
        chart.setCursor({ left: chart.valToPos(next / 1000, "x"), top: 1 });
      }
    } else if (event.key === "Enter") {
      if (this.audio.paused) this.playFrom(at);
      else this.audio.pause();
    } else if (event.key === "Escape") {
      chart.setScale("x", { min: 0, max: archive.duration[recording] / 1000 });
    } else return;
    event.preventDefault();
  }
}

// The middle of the step after (or before) a time.
function nextStep(archive, recording, atMs, forward) {
  let next = null;
  for (let step = archive.firstStep[recording]; step < archive.firstStep[recording + 1]; step++) {
    const middle = (archive.step_start[step] + archive.step_stop[step]) / 2;
    if (forward && middle > atMs + 1 && (next === null || middle < next)) next = middle;
    if (!forward && middle < atMs - 1 && (next === null || middle > next)) next = middle;
  }
  return next;
}

function labelWidth(names) {
  const context = el("canvas").getContext("2d");
  context.font = "12px system-ui, sans-serif";
  return Math.ceil(Math.max(...names.map((name) => context.measureText(name).width))) + 14;
}

const shortened = (text, size) => (text.length > size ? `${text.slice(0, size - 1)}…` : text);
