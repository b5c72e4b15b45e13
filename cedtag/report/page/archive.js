// The data of the page: deflated columns, then the texts as JSON, then the length of that.

const TYPES = {
  started: Float64Array, duration: Uint32Array, num_steps: Uint32Array, step_start: Uint32Array,
  step_length: Uint32Array, num_tags: Uint16Array, tag_class: Uint16Array, tag_score: Uint16Array, status: Uint8Array,
};
const STATUSES = ["ok", "partial", "failed"];

async function loadArchive() {
  const node = $("data");
  const packed = fromBase64(node.textContent);
  node.remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(stream).arrayBuffer();
  const textEnd = bytes.byteLength - 4;
  const textLength = new DataView(bytes).getUint32(textEnd, true);
  const archive = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, textEnd - textLength, textLength)));
  let offset = 0;
  for (const [name, size] of archive.columns) {
    archive[name] = new TYPES[name](bytes, offset, size);
    offset += archive[name].byteLength;
  }
  return withPlaces(archive);
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

// Steps and tags are stored by counts and distances; make them places and times.
function withPlaces(archive) {
  archive.size = archive.names.length;
  archive.firstStep = running(archive.num_steps);
  archive.firstTag = running(archive.num_tags);
  archive.step_stop = new Uint32Array(archive.step_start.length);
  for (let recording = 0; recording < archive.size; recording++) {
    let start = 0;
    for (let step = archive.firstStep[recording]; step < archive.firstStep[recording + 1]; step++) {
      start += archive.step_start[step];
      archive.step_start[step] = start;
      archive.step_stop[step] = start + archive.step_length[step];
    }
  }
  addClock(archive);
  archive.foldedNames = archive.names.map((name) => name.toLowerCase());
  archive.foldedClasses = archive.classes.map((name) => name.toLowerCase());
  return archive;
}

const HOUR_MS = 3600000;

// The hours of the wall clock, counted from 1970, that recordings with known times lie in.
function addClock(archive) {
  const ends = [...archive.started.keys()].filter((recording) => !Number.isNaN(archive.started[recording]));
  const first = ends.reduce((least, recording) => Math.min(least, archive.started[recording]), Infinity);
  const last = ends.reduce((most, recording) => Math.max(most, archive.started[recording] + archive.duration[recording]), -Infinity);
  archive.firstHour = ends.length ? Math.floor(first / HOUR_MS) : 0;
  archive.numHours = ends.length ? Math.floor(last / HOUR_MS) + 1 - archive.firstHour : 0;
}

function running(counts) {
  const sums = new Uint32Array(counts.length + 1);
  for (let i = 0; i < counts.length; i++) sums[i + 1] = sums[i] + counts[i];
  return sums;
}
