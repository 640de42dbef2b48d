"use strict";
// Requests to the service, their errors, and the curl lines that do the same.

const JPEG = "image/jpeg";

/** What the service or the way to it answered instead of a result; `status` is 0 without a response. */
class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The options of a request as pairs of name and value; a class is a pair of its own. */
function pairs(options) {
  return Object.entries(options).flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
}

/** The body of a request for `source`: an uploaded file in a form, or JSON with the key of a picture in the bucket. */
function bodyOf(source, options) {
  if (source.key) return JSON.stringify({ filename: source.key, store: false, ...options });
  const form = new FormData();
  form.append("image", source.file, source.name);
  for (const [name, value] of pairs(options)) form.append(name, value);
  return form;
}

/** Ask the service; returns its 200 response, and raises Failure for any other. */
async function ask(source, options, { accept = "application/json", key = "", signal } = {}) {
  const headers = { Accept: accept };
  if (source.key) headers["Content-Type"] = "application/json";
  if (key) headers.Authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch("predict", { method: "POST", headers, body: bodyOf(source, options), signal });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new Failure("No response: the service cannot be reached, or the connection broke.", 0);
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

async function failureOf(response) {
  const body = await response.json().catch(() => ({}));
  const { code, message, request_id: id } = body.error ?? {};
  const said = message ?? body.message ?? response.statusText; // A gateway has errors of its own.
  return new Failure(`${response.status} ${code ?? ""}: ${said}${id ? ` (request ${id})` : ""}`, response.status);
}

/** The milliseconds of each step, of the header Server-Timing. */
function timings(response) {
  const parts = (response.headers.get("Server-Timing") ?? "").matchAll(/(\w+);dur=([\d.e+-]+)/g);
  return Object.fromEntries([...parts].map(([, step, ms]) => [step, Number(ms)]));
}

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** curl's -F takes commas and semicolons of a file name for its own, unless the name stands in double quotes. */
function formFile(name) {
  return /^[\w.-]+$/.test(name) ? `@${name}` : `@"${name.replace(/["\\]/g, "\\$&")}"`;
}

/** The curl command of a request; a key is never shown. */
function curlOf(source, options, { accept, key, output } = {}) {
  const words = ["curl", quoted(new URL("predict", location.href).href)];
  if (key) words.push('-H "Authorization: Bearer $KEY"');
  if (accept) words.push(`-H 'Accept: ${accept}'`);
  if (source.key) {
    words.push("-H 'Content-Type: application/json'", `-d ${quoted(bodyOf(source, options))}`);
  } else {
    words.push(`-F ${quoted(`image=${formFile(source.name)}`)}`);
    for (const [name, value] of pairs(options)) words.push(`-F ${quoted(`${name}=${value}`)}`);
  }
  if (output) words.push(`-o ${quoted(output)}`);
  return words.join(" ");
}
