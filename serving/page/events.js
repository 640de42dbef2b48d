"use strict";
// Ties what a person does to the functions of the page.

/** Take the first file of a drop, a paste or the chooser. */
function take(files) {
  const [file] = files;
  if (file) openPicture({ name: file.name || "picture", file });
}

const dragsFile = (event) => [...event.dataTransfer.types].includes("Files");

document.addEventListener("dragover", (event) => {
  if (!dragsFile(event)) return;
  event.preventDefault();
  $("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  $("drop").classList.remove("over");
  if (!dragsFile(event)) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => take(event.clipboardData.files));

$("file").addEventListener("change", (event) => {
  take([...event.target.files]);
  event.target.value = ""; // So that the same file can be chosen again.
});

for (const name of JSON.parse(meta("samples"))) {
  const button = make("button", { type: "button", className: "button" }, name);
  button.addEventListener("click", () => openPicture({ name, key: name }));
  $("samples").append(button);
  $("samples").hidden = false;
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = $("key").value;
  again?.();
});

$("confidence").addEventListener("input", render);
$("iou").addEventListener("input", () => {
  $("iou-value").textContent = Number($("iou").value).toFixed(2);
  clearTimeout(later);
  later = setTimeout(() => attempt((signal) => detect(source, signal)), 200);
});

$("canvas").addEventListener("pointermove", hover);
$("canvas").addEventListener("pointerdown", hover);
$("canvas").addEventListener("pointerleave", (event) => event.pointerType === "touch" || point(-1));

function hover(event) {
  const at = { x: event.offsetX, y: event.offsetY };
  point(stage.at(at.x, at.y), at);
}

$("save-picture").addEventListener("click", savePicture);
$("save-json").addEventListener("click", saveJson);
$("store").addEventListener("click", store);
$("copy").addEventListener("click", async () => {
  const copied = await navigator.clipboard?.writeText($("curl").textContent).then(
    () => true,
    () => false,
  );
  if (!copied) getSelection().selectAllChildren($("curl")); // Without HTTPS a page may not write to the clipboard.
  $("copy").textContent = copied ? "Copied" : "Selected";
  setTimeout(() => ($("copy").textContent = "Copy"), 2000);
});

new ResizeObserver(() => requestAnimationFrame(() => stage.draw())).observe($("stage"));
