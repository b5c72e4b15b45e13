// What of the archive is asked for, and the answer: one pass over all tags.

const noFilter = (archive) => ({ classes: new Set(), typed: "", score: archive.least_score, text: "", status: "", hour: null });

// Whether a class is asked for: it is chosen, or its name holds what is typed.
const asksFor = (archive, filter, place) => filter.classes.has(place) || (filter.typed !== "" && archive.foldedClasses[place].includes(filter.typed));

// `typed` of a filter is a part of the names of classes, `hour` an hour of the wall clock, counted from 1970.
function answer(archive, filter) {
  const numClasses = archive.classes.length;
  const any = filter.classes.size === 0 && filter.typed === "";
  const wanted = Uint8Array.from({ length: numClasses }, (_, i) => (any || asksFor(archive, filter, i) ? 1 : 0));
  const needsHit = !any || filter.score > archive.least_score;
  const classMs = new Float64Array(numClasses);
  const classUntil = new Float64Array(numClasses);
  const classSeenIn = new Int32Array(numClasses).fill(-1);
  const heardMs = new Float64Array(archive.size);
  const best = new Uint16Array(archive.size);
  const hours = { recorded: new Float64Array(archive.numHours), heard: new Float64Array(archive.numHours) };
  const recordings = [];
  const { step_start, step_stop, firstStep, firstTag, tag_class, tag_score } = archive;
  let recordedMs = 0;

  for (let recording = 0; recording < archive.size; recording++) {
    if (!admits(archive, filter, recording)) continue;
    const started = archive.started[recording];
    const clocked = !Number.isNaN(started);
    if (clocked) addRecordedHours(hours.recorded, archive.firstHour, started, archive.duration[recording]);
    let until = 0;
    for (let step = firstStep[recording]; step < firstStep[recording + 1]; step++) {
      const start = step_start[step], stop = step_stop[step];
      const hour = clocked ? Math.floor((started + start) / HOUR_MS) : null;
      if (filter.hour !== null && hour !== filter.hour) continue;
      let hit = -1;
      for (let tag = firstTag[step]; tag < firstTag[step + 1]; tag++) {
        if (tag_score[tag] < filter.score) continue;
        const place = tag_class[tag];
        if (classSeenIn[place] !== recording) {
          classSeenIn[place] = recording;
          classUntil[place] = 0;
        }
        if (stop > classUntil[place]) {
          classMs[place] += stop - Math.max(start, classUntil[place]);
          classUntil[place] = stop;
        }
        if (wanted[place] && tag_score[tag] > hit) hit = tag_score[tag];
      }
      if (hit < 0) continue;
      if (hit > best[recording]) best[recording] = hit;
      if (stop > until) {
        const heard = stop - Math.max(start, until);
        heardMs[recording] += heard;
        if (clocked) hours.heard[hour - archive.firstHour] += heard;
        until = stop;
      }
    }
    if (needsHit && until === 0) continue;
    recordings.push(recording);
    recordedMs += archive.duration[recording];
  }
  return { recordings, recordedMs, classMs, heardMs, best, hours };
}

function admits(archive, filter, recording) {
  const status = STATUSES[archive.status[recording]];
  if (filter.status === "failed" && status !== "failed") return false;
  if (filter.status === "problems" && status === "ok") return false;
  if (filter.text && !archive.foldedNames[recording].includes(filter.text)) return false;
  if (filter.hour === null) return true;
  const started = archive.started[recording];
  return started < (filter.hour + 1) * HOUR_MS && started + archive.duration[recording] > filter.hour * HOUR_MS;
}

function addRecordedHours(recorded, firstHour, started, duration) {
  const stop = started + duration;
  for (let hour = Math.floor(started / HOUR_MS); hour * HOUR_MS < stop; hour++) {
    recorded[hour - firstHour] += Math.min(stop, (hour + 1) * HOUR_MS) - Math.max(started, hour * HOUR_MS);
  }
}

function inOrder(archive, found, order) {
  const recordings = found.recordings.slice();
  const names = archive.names;
  const orders = {
    heard: (a, b) => found.heardMs[b] - found.heardMs[a],
    score: (a, b) => found.best[b] - found.best[a],
    name: (a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : 0),
    length: (a, b) => archive.duration[b] - archive.duration[a],
  };
  return order in orders ? recordings.sort((a, b) => orders[order](a, b) || a - b) : recordings;
}

// The best score of each class in one recording, best first.
function classesOf(archive, recording, leastScore) {
  const best = new Map();
  const [first, last] = [archive.firstStep[recording], archive.firstStep[recording + 1]];
  for (let tag = archive.firstTag[first]; tag < archive.firstTag[last]; tag++) {
    const place = archive.tag_class[tag];
    if (archive.tag_score[tag] >= leastScore && archive.tag_score[tag] > (best.get(place) ?? -1)) {
      best.set(place, archive.tag_score[tag]);
    }
  }
  return [...best].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}
