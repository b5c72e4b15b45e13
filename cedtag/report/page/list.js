// The recordings that fit: a list that makes only the rows in sight.

const ROW_PX = 62;

class RecordingList {
  constructor(archive, box, onChoose) {
    Object.assign(this, { archive, box, onChoose, recordings: [], chosen: -1, rows: new Map() });
    this.space = box.firstElementChild;
    box.addEventListener("scroll", () => this.draw());
    box.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.draw(true)).observe(box);
  }

  show(recordings, found, filter) {
    Object.assign(this, { recordings, found, filter });
    this.space.style.height = `${recordings.length * ROW_PX}px`;
    this.draw(true);
  }

  draw(afresh = false) {
    if (afresh) {
      this.rows.clear();
      this.space.replaceChildren();
    }
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW_PX) - 4);
    const last = Math.min(this.recordings.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW_PX) + 4);
    for (const [place, row] of this.rows) {
      if (place < first || place >= last) {
        row.remove();
        this.rows.delete(place);
      }
    }
    const width = Math.max(1, this.box.clientWidth - 24);
    for (let place = first; place < last; place++) {
      if (this.rows.has(place)) continue;
      const row = this.row(place);
      this.rows.set(place, row);
      this.space.append(row);
      drawStrip(this.archive, this.recordings[place], this.filter, row.querySelector("canvas"), width);
    }
    const chosen = this.recordings.indexOf(this.chosen);
    if (this.rows.has(chosen)) this.box.setAttribute("aria-activedescendant", `row-${chosen}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  row(place) {
    const { archive, found, filter } = this;
    const recording = this.recordings[place];
    const [folder, name] = splitName(archive.names[recording]);
    const tags = classesOf(archive, recording, filter.score)
      .sort((a, b) => filter.classes.has(b[0]) - filter.classes.has(a[0]));
    const heard = archive.duration[recording] ? `${length(found.heardMs[recording])} of ${length(archive.duration[recording])}` : "";
    const row = el("div", {
      id: `row-${place}`, class: "recording", role: "option", "aria-selected": String(recording === this.chosen),
      "aria-setsize": this.recordings.length, "aria-posinset": place + 1, click: () => this.choose(place),
    },
    el("div", { class: "line" }, el("span", { class: "name clip", title: archive.names[recording] }, name, el("span", { class: "muted" }, folder && ` ${folder}`)),
      badge(archive, recording),
      el("span", { class: "value wide" }, heard)),
    el("canvas", { class: "strip", "aria-hidden": "true" }),
    el("div", { class: "muted small clip" }, el("span", { class: "narrow" }, heard && `${heard}: `),
      tags.slice(0, 4).map(([place, best]) => `${archive.classes[place]} ${score(best)}`).join(" · ") || archive.notes[recording] || "nothing with this score"));
    row.style.top = `${place * ROW_PX}px`;
    return row;
  }

  choose(place) {
    if (place < 0 || place >= this.recordings.length) return;
    this.select(this.recordings[place]);
    const top = place * ROW_PX;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    if (top + ROW_PX > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + ROW_PX - this.box.clientHeight;
    this.draw();
    this.onChoose(this.chosen);
  }

  select(recording) {
    this.chosen = recording;
    for (const [place, row] of this.rows) row.setAttribute("aria-selected", String(this.recordings[place] === recording));
  }

  onKey(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW_PX) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const place = this.recordings.indexOf(this.chosen) + moves[event.key];
    this.choose(Math.max(0, Math.min(this.recordings.length - 1, place)));
  }
}

// Where in the recording the wanted classes are, and how strongly.
function drawStrip(archive, recording, filter, canvas, width) {
  const context = sharpContext(canvas, width, 5);
  context.fillStyle = colour("--line");
  context.fillRect(0, 0, width, 5);
  const accent = colour("--accent");
  const peaks = columnPeaks(archive, recording, filter.score, Math.round(width), 0, archive.duration[recording],
    (place) => (filter.classes.size === 0 || filter.classes.has(place) ? 0 : -1), 1)[0];
  forRuns(peaks, (from, to, peak) => {
    context.fillStyle = withAlpha(accent, 0.2 + (0.8 * peak) / 10000);
    context.fillRect(from, 0, to - from, 5);
  });
}

// The best score in each of `columns` equal parts of a span of time, for every lane that `laneOf` gives a class.
function columnPeaks(archive, recording, leastScore, columns, fromMs, toMs, laneOf, numLanes) {
  const lanes = Array.from({ length: numLanes }, () => new Int32Array(columns).fill(-1));
  const scale = columns / Math.max(1, toMs - fromMs);
  for (let step = archive.firstStep[recording]; step < archive.firstStep[recording + 1]; step++) {
    if (archive.step_stop[step] <= fromMs || archive.step_start[step] >= toMs) continue;
    const first = Math.max(0, Math.floor((archive.step_start[step] - fromMs) * scale));
    const last = Math.min(columns, Math.max(first + 1, Math.round((archive.step_stop[step] - fromMs) * scale)));
    for (let tag = archive.firstTag[step]; tag < archive.firstTag[step + 1]; tag++) {
      const lane = archive.tag_score[tag] >= leastScore ? laneOf(archive.tag_class[tag]) : -1;
      if (lane < 0) continue;
      for (let column = first; column < last; column++) {
        if (archive.tag_score[tag] > lanes[lane][column]) lanes[lane][column] = archive.tag_score[tag];
      }
    }
  }
  return lanes;
}

function forRuns(values, draw) {
  let from = 0;
  for (let at = 1; at <= values.length; at++) {
    if (at < values.length && values[at] === values[from]) continue;
    if (values[from] >= 0) draw(from, at, values[from]);
    from = at;
  }
}
