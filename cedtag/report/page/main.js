// The page: what is chosen, and everything that follows from it.

const PRINTED_ROWS = 300;

function start(archive) {
  const filter = noFilter(archive);
  let [found, allClasses, pending] = [null, false, false];

  const timeline = new Timeline(archive);
  const choose = (recording) => {
    timeline.show(recording, filter);
    if (window.innerWidth < 1000) $("detail").scrollIntoView({ block: "nearest" });
  };
  const list = new RecordingList(archive, $("list"), choose);
  const clockMap = new ClockMap($("clock"), $("clock-text"), (hour) => { filter.hour = hour; refresh(); });

  const toggle = (place) => {
    if (!filter.classes.delete(place)) filter.classes.add(place);
    refresh();
  };

  function refresh() {
    found = answer(archive, filter);
    const recordings = inOrder(archive, found, $("order").value);
    showClasses(archive, filter, found, allClasses, toggle);
    $("clock-card").hidden = archive.numHours === 0;
    if (!$("clock-card").hidden) {
      clockMap.show(archive, found, filter.hour);
      clockMap.say(filter.hour);
    }
    list.show(recordings, found, filter);
    if (timeline.recording >= 0) timeline.show(timeline.recording, filter);
    showChips();
    $("answer").textContent = sentence(archive, filter, found);
    $("score-output").textContent = score(filter.score);
  }

  // Once a frame, however fast a slider moves.
  function refreshSoon() {
    if (!pending) requestAnimationFrame(() => { pending = false; refresh(); });
    pending = true;
  }

  function showChips() {
    const chip = (text, onRemove) => el("span", { class: "chip", role: "listitem" }, text,
      el("button", { type: "button", "aria-label": `Remove ${text}`, click: onRemove }, "×"));
    const chips = [...filter.classes].map((place) => chip(archive.classes[place], () => toggle(place)));
    if (filter.hour !== null) {
      chips.push(chip(wallClock(filter.hour * HOUR_MS).slice(0, -3), () => { filter.hour = null; refresh(); }));
    }
    $("chips").replaceChildren(...chips);
  }

  const byName = new Map(archive.classes.map((name, place) => [name.toLowerCase(), place]));
  const typedClasses = () => archive.classes.map((_, place) => place).filter((place) => filter.typed !== "" && archive.foldedClasses[place].includes(filter.typed));
  const typeClass = () => { filter.typed = $("class-input").value.trim().toLowerCase(); refreshSoon(); };
  // The class whose name is there in full, or the only one that was meant, moves to the chosen ones.
  const takeClass = () => {
    filter.typed = $("class-input").value.trim().toLowerCase();
    const places = typedClasses();
    const place = byName.get(filter.typed) ?? (places.length === 1 ? places[0] : undefined);
    if (place !== undefined) {
      $("class-input").value = filter.typed = "";
      filter.classes.add(place);
    }
    refresh();
  };
  $("class-names").append(...[...archive.classes].sort().map((name) => el("option", { value: name })));
  $("class-input").addEventListener("change", takeClass);
  $("class-input").addEventListener("input", (event) => { if (event.inputType === "insertReplacementText" || !event.inputType) takeClass(); else typeClass(); });
  $("score").min = Math.ceil(archive.least_score / 100);
  $("score").value = $("score").min;
  $("score").addEventListener("input", () => { filter.score = Math.max(archive.least_score, $("score").value * 100); refreshSoon(); });
  $("text").addEventListener("input", () => { filter.text = $("text").value.trim().toLowerCase(); refreshSoon(); });
  $("status").addEventListener("change", () => { filter.status = $("status").value; refresh(); });
  $("order").addEventListener("change", refresh);
  $("more-classes").addEventListener("click", () => { allClasses = !allClasses; refresh(); });
  $("filters").addEventListener("submit", (event) => { event.preventDefault(); takeClass(); });
  $("filters").addEventListener("reset", () => { Object.assign(filter, noFilter(archive)); setTimeout(refresh); });

  setUpTheme(refresh);
  setUpPrinting(archive, () => inOrder(archive, found, $("order").value), () => found, refresh);
  showHead(archive);
  showProblems(archive, (recording) => { list.select(recording); choose(recording); }, () => {
    filter.status = $("status").value = "problems";
    refresh();
    $("list").scrollIntoView();
  });
  new ResizeObserver(() => clockMap.draw()).observe($("clock-scroll"));
  refresh();
  if (archive.size) {
    list.select(0);
    timeline.show(0, filter);
  }
  return { archive, filter, refresh };
}

function sentence(archive, filter, found) {
  const all = found.recordings.length === archive.size;
  const which = all ? `All ${plural(archive.size, "recording")}` : `${number.format(found.recordings.length)} of ${plural(archive.size, "recording")}`;
  const heard = found.recordings.reduce((sum, recording) => sum + found.heardMs[recording], 0);
  const asked = [...[...filter.classes].map((place) => archive.classes[place]), ...(filter.typed ? [`“${filter.typed}”`] : [])];
  const what = asked.join(" or ") || "something";
  return `${which}; ${what} is heard for ${length(heard)} of ${length(found.recordedMs)}.`;
}

function showHead(archive) {
  const total = archive.duration.reduce((sum, ms) => sum + ms, 0);
  const wrong = archive.status.reduce((sum, status) => sum + (status > 0), 0);
  document.title = $("title").textContent = archive.title;
  $("summary").textContent = [plural(archive.size, "recording"), `${length(total)} of sound`, `${number.format(archive.classes.length)} classes heard`,
    ...(wrong ? [`${number.format(wrong)} with problems`] : [])].join(" · ");
  const settings = Object.entries(archive.settings).map(([name, value]) => [name, settingText(value)]).filter(([, text]) => text !== "").map((pair) => pair.join(" "));
  const least = archive.least_score ? [`tags below ${(archive.least_score / 10000).toFixed(4)} left out`] : [];
  $("settings").textContent = [`cedtag ${archive.version}`, ...settings, ...least].join(" · ");
}

// A setting as text, "" for one that is not set: the classes of a list, the values of an object by name.
function settingText(value) {
  if (value === null || value === undefined || value === false) return "";
  if (Array.isArray(value)) return value.map(settingText).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, one]) => `${name} ${settingText(one)}`).join(", ");
  return String(value);
}

function setUpTheme(redraw) {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const show = () => {
    $("theme").textContent = dark() ? "Light" : "Dark";
    $("theme").setAttribute("aria-label", `Change to ${dark() ? "light" : "dark"} colours`);
  };
  $("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; forgetColours(); show(); redraw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { forgetColours(); show(); redraw(); });
  show();
}

function setUpPrinting(archive, listed, found, redraw) {
  let theme;
  window.addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    forgetColours();
    redraw();
    const recordings = listed();
    const rows = recordings.slice(0, PRINTED_ROWS).map((recording) => el("tr", {},
      el("td", {}, archive.names[recording]), el("td", {}, length(archive.duration[recording])),
      el("td", {}, length(found().heardMs[recording])), el("td", {}, STATUSES[archive.status[recording]])));
    const rest = recordings.length - rows.length;
    $("printed").replaceChildren(el("h2", {}, "Recordings"),
      el("table", {}, el("thead", {}, el("tr", {}, ...["file", "length", "heard", "status"].map((name) => el("th", {}, name)))), el("tbody", {}, ...rows)),
      rest > 0 ? el("p", {}, `and ${number.format(rest)} more`) : "");
  });
  window.addEventListener("afterprint", () => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    $("printed").replaceChildren();
    forgetColours();
    redraw();
  });
}

const page = start(await loadArchive());
document.documentElement.dataset.ready = "";
