"use strict";
// What a person does, and what the page shows.

const LOWEST = 0.05; // The confidence from which the service is asked; a higher one only hides boxes.
const STEPS = ["fetch", "decode", "detect", "annotate", "store"];
const MOST = 300; // Boxes in a response.

const $ = (id) => document.getElementById(id);
const meta = (name) => document.querySelector(`meta[name=${name}]`).content;
const stage = new Stage($("canvas"));
const hidden = new Set(); // Labels.
let source = null; // {name, file} or {name, key}
let found = null; // The response's JSON with all boxes.
let key = "";
let again = null; // What is to be done when a key has been given.
let asking = new AbortController();
let later = 0;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const shown = () =>
  found.detections.filter((one) => one.confidence >= Number($("confidence").value) && !hidden.has(one.label));

/** The options that make the service answer what the page shows. */
function options() {
  const chosen = { confidence: Number($("confidence").value), iou: Number($("iou").value) };
  const labels = [...grouped(found.detections).keys()];
  const kept = labels.filter((label) => !hidden.has(label));
  if (kept.length < labels.length) chosen.classes = kept;
  return chosen;
}

/** Detections by label, in the order of the alphabet. */
function grouped(detections) {
  const groups = new Map(detections.map((one) => [one.label, []]).sort());
  for (const one of detections) groups.get(one.label).push(one);
  return groups;
}

/** Run an action that asks the service, and show its failure; only the latest action counts. */
async function attempt(action) {
  asking.abort();
  const { signal } = (asking = new AbortController());
  $("error").hidden = true;
  $("result").setAttribute("aria-busy", "true");
  try {
    await action(signal);
    $("key-form").hidden = true;
  } catch (cause) {
    if (signal.aborted) return;
    fail(cause, () => attempt(action));
  } finally {
    if (!signal.aborted) $("result").removeAttribute("aria-busy");
  }
}

function fail(cause, retry) {
  $("status").textContent = "";
  $("error").textContent = cause instanceof Failure ? cause.message : `This page failed: ${cause.message}`;
  $("error").hidden = false;
  if (cause.status !== 401 && cause.status !== 403) return;
  again = retry;
  $("key-form").hidden = false;
  $("key").focus();
}

/** Take another picture: what was shown of the last one goes when this one is answered, or fails. */
function openPicture(next) {
  const limit = Number(meta("max-image-bytes"));
  attempt(async (signal) => {
    try {
      if (next.file?.size > limit) {
        const size = (next.file.size / 1e6).toFixed(1);
        throw new Failure(`${next.name} has ${size} MB; the limit is ${limit / 1e6} MB: choose a smaller picture.`, 0);
      }
      await detect(next, signal);
    } catch (cause) {
      if (!signal.aborted) $("result").hidden = true;
      throw cause;
    }
  });
}

async function detect(next, signal) {
  $("status").textContent = `Looking at ${next.name} …`;
  const asked = { confidence: LOWEST, iou: Number($("iou").value) };
  const started = performance.now();
  const response = await ask(next, asked, { key, signal });
  const answer = await response.json();
  const tripMs = performance.now() - started;
  if (next !== source) {
    const bitmap = await picture(next, answer.image, signal);
    if (signal.aborted) return bitmap.close();
    stage.show(bitmap, answer.image);
    hidden.clear();
    $("stored").textContent = "Not stored. Store writes the annotated picture to the output bucket.";
  }
  [source, found] = [next, answer];
  $("result").hidden = false;
  document.body.classList.add("used");
  $("invitation").textContent = "Drop or paste another picture, or";
  showClasses();
  render();
  showTimes(response, tripMs);
}

/** What is drawn under the boxes: the file, or the service's own copy where the browser cannot read it. */
async function picture(next, size, signal) {
  const own = next.file && (await bitmapOf(next.file, size));
  if (own) return own;
  const copy = await ask(next, { confidence: 1, store: false }, { accept: JPEG, key, signal }); // Without boxes.
  const bitmap = await bitmapOf(await copy.blob(), size);
  if (!bitmap) throw new Failure("This browser cannot show the picture.", 0);
  return bitmap;
}

function render() {
  stage.boxes = shown();
  stage.active = -1;
  $("confidence-value").textContent = Number($("confidence").value).toFixed(2);
  $("iou-value").textContent = Number($("iou").value).toFixed(2);
  const counts = grouped(stage.boxes);
  const words = [...counts].map(([label, some]) => `${some.length} ${label}`).join(", ");
  const objects = `${stage.boxes.length} object${stage.boxes.length === 1 ? "" : "s"}`;
  $("status").textContent = `${objects}${words ? `: ${words}` : ""}`;
  $("canvas").setAttribute("aria-label", `${source.name} with ${objects}${words ? `: ${words}` : ""}`);
  $("caption").textContent = `${source.name}, ${found.image.width} × ${found.image.height} pixels`;
  for (const count of document.querySelectorAll("[data-label]"))
    count.textContent = ` ${counts.get(count.dataset.label)?.length ?? 0}`;
  $("found").replaceChildren(...stage.boxes.map(entry));
  if (!stage.boxes.length) $("found").append(make("li", { className: "meta" }, "Nothing at this confidence."));
  $("limit").hidden = found.detections.length < MOST;
  const none = options().classes?.length === 0; // A form without classes asks for all.
  for (const id of ["save-picture", "store"]) $(id).disabled = none;
  $("curl").textContent = none ? "No class is chosen." : curlOf(source, options(), { key });
  stage.draw();
}

function entry(one, index) {
  const swatch = make("span", { className: "swatch" });
  swatch.style.background = colourOf(one);
  const button = make("button", { type: "button" }, swatch, one.label, make("span", { className: "n" }, one.confidence.toFixed(2)));
  const { x1, y1, x2, y2 } = one.box;
  button.title = `left ${x1}, top ${y1}, right ${x2}, bottom ${y2}`;
  for (const event of ["focus", "pointerenter", "click"]) button.addEventListener(event, () => point(index));
  for (const event of ["blur", "pointerleave"]) button.addEventListener(event, () => point(-1));
  return make("li", {}, button);
}

/** Emphasise one box, here and in the list; -1 for none. */
function point(index, at) {
  if (stage.active !== index) {
    stage.active = index;
    [...$("found").querySelectorAll("button")].forEach((one, i) => one.classList.toggle("active", i === index));
    stage.draw();
  }
  $("tip").hidden = index < 0 || !at;
  if ($("tip").hidden) return;
  const { label, confidence } = stage.boxes[index];
  $("tip").textContent = `${label} ${confidence.toFixed(2)}`;
  const left = Math.min(at.x + 14, stage.canvas.clientWidth - $("tip").offsetWidth);
  $("tip").style.left = `${stage.canvas.offsetLeft + Math.max(0, left)}px`;
  $("tip").style.top = `${at.y + 18}px`;
}

function showClasses() {
  const boxes = [...grouped(found.detections).keys()].map((label) => {
    const check = make("input", { type: "checkbox", checked: !hidden.has(label) });
    check.addEventListener("change", () => {
      check.checked ? hidden.delete(label) : hidden.add(label);
      render();
    });
    const count = make("span", { className: "n" });
    count.dataset.label = label;
    return make("label", {}, check, " ", label, count);
  });
  $("classes").replaceChildren(...boxes);
}

function showTimes(response, tripMs) {
  const took = timings(response);
  const rest = Math.max(0, (took.total ?? 0) - STEPS.reduce((sum, step) => sum + (took[step] ?? 0), 0));
  const rows = [...STEPS.map((step) => [step, took[step] ?? 0]), ["waiting and other", rest]];
  const swatch = (name) => make("span", { className: `swatch step-${name.split(" ")[0]}` });
  const part = ([name, ms]) => {
    const one = swatch(name);
    one.style.flexGrow = ms;
    return one;
  };
  const ms = (value) => (value ? `${value.toFixed(value < 10 ? 1 : 0)} ms` : "–");
  $("bar").replaceChildren(...rows.filter((row) => row[1] > 0).map(part));
  $("steps").replaceChildren(
    ...rows.map(([name, value]) => make("div", {}, make("dt", {}, swatch(name), name), make("dd", {}, ms(value)))),
  );
  const cold = response.headers.get("X-Cold-Start") === "true";
  const facts = {
    "In the service": ms(took.total),
    "With the way here and back": ms(tripMs),
    Start: cold ? "cold: the instance's first response" : "warm",
    Instance: response.headers.get("X-Instance-Id"),
    Model: `${found.model.name}, version ${found.model.version}`,
    Request: response.headers.get("X-Request-Id"),
  };
  $("facts").replaceChildren(
    ...Object.entries(facts).map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, text))),
  );
}

const stem = () => source.name.split("/").pop().replace(/\.\w+$/, "") || "picture";

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Ask for the annotated picture, as JPEG or stored. */
function finish(asked, more, use) {
  attempt(async (signal) => {
    const started = performance.now();
    const response = await ask(source, asked, { ...more, key, signal });
    await use(response);
    showTimes(response, performance.now() - started);
    $("curl").textContent = curlOf(source, asked, { ...more, key });
  });
}

function savePicture() {
  const output = `${stem()}-annotated.jpg`;
  finish(options(), { accept: JPEG, output }, async (response) => save(await response.blob(), output));
}

function saveJson() {
  const text = JSON.stringify({ ...found, detections: shown() }, null, 2);
  save(new Blob([text], { type: "application/json" }), `${stem()}.json`);
}

function store() {
  finish({ ...options(), store: true }, {}, async (response) => {
    const { bucket, filename, location: url } = await response.json();
    const link = make("a", { href: url, target: "_blank", rel: "noopener" }, filename);
    $("stored").replaceChildren("Stored in ", bucket, " as ", link, ".");
  });
}
