"use strict";
// The picture and its boxes on a canvas.

const LARGEST = 2048; // pixels a side of the copy that is shown; a photograph of 50 megapixels would hold 200 MB.

// The colours of the annotated picture.
const COLOURS = (
  "e6194b 3cb44b ffe119 4363d8 f58231 911eb4 42d4f4 f032e6 bfef45 fabed4 " +
  "469990 dcbeff 9a6324 fffac8 800000 aaffc3 808000 ffd8b1 000075 a9a9a9"
).split(" ");

const colourOf = (detection) => `#${COLOURS[detection.class_id % COLOURS.length]}`;

/** Black or white, whichever is easier to read on a colour. */
function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000" : "#fff";
}

/** A bitmap of a blob that has the size that the service saw, upright; null if the browser reads it in another way. */
async function bitmapOf(blob, size) {
  const whole = await createImageBitmap(blob, { imageOrientation: "from-image" }).catch(() => null);
  if (!whole || whole.width !== size.width || whole.height !== size.height) {
    whole?.close();
    return null;
  }
  const scale = LARGEST / Math.max(whole.width, whole.height);
  if (scale >= 1) return whole;
  const [resizeWidth, resizeHeight] = [whole.width, whole.height].map((side) => Math.max(1, Math.round(side * scale)));
  const small = await createImageBitmap(whole, { resizeWidth, resizeHeight, resizeQuality: "high" });
  whole.close();
  return small;
}

/** A canvas with a picture and boxes; `size` is that of the picture in the pixels of the boxes. */
class Stage {
  constructor(canvas) {
    this.canvas = canvas;
    this.bitmap = null;
    this.size = null;
    this.boxes = [];
    this.active = -1;
  }

  /** Pixels of the page per pixel of the picture. */
  get scale() {
    return this.canvas.clientWidth / this.size.width;
  }

  show(bitmap, size) {
    if (this.bitmap !== bitmap) this.bitmap?.close();
    [this.bitmap, this.size] = [bitmap, size];
  }

  draw() {
    if (!this.bitmap) return;
    const room = this.canvas.parentElement.clientWidth;
    const width = Math.max(1, Math.min(room, (innerHeight * 0.74 * this.size.width) / this.size.height));
    const height = Math.max(1, (width * this.size.height) / this.size.width);
    const ratio = Math.min(devicePixelRatio, 2);
    this.canvas.style.width = `${width}px`;
    [this.canvas.width, this.canvas.height] = [Math.ceil(width * ratio), Math.ceil(height * ratio)];
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.fillStyle = "#fff"; // Under transparent pictures, as the service does.
    context.fillRect(0, 0, width, height);
    context.drawImage(this.bitmap, 0, 0, width, height);
    const order = this.boxes.map((_, index) => index).reverse(); // The most confident on top.
    for (const index of order) if (index !== this.active) this.drawBox(context, index);
    if (this.active >= 0) this.drawBox(context, this.active);
  }

  drawBox(context, index) {
    const { box, label, confidence } = this.boxes[index];
    const [colour, scale, active] = [colourOf(this.boxes[index]), this.scale, index === this.active];
    const [x, y] = [box.x1 * scale, box.y1 * scale];
    const [width, height] = [(box.x2 - box.x1) * scale, (box.y2 - box.y1) * scale];
    context.globalAlpha = this.active < 0 || active ? 1 : 0.35;
    context.strokeStyle = inkOn(colour);
    context.lineWidth = active ? 5 : 3.5;
    context.strokeRect(x, y, width, height);
    context.strokeStyle = colour;
    context.lineWidth = active ? 3 : 2;
    context.strokeRect(x, y, width, height);
    if (active || (this.boxes.length <= 60 && this.active < 0)) {
      context.font = "600 12px system-ui, sans-serif";
      const text = `${label} ${confidence.toFixed(2)}`;
      const plate = context.measureText(text).width + 8;
      const left = Math.max(0, Math.min(x - 1, this.canvas.clientWidth - plate));
      const top = y >= 17 ? y - 17 : y;
      context.fillStyle = colour;
      context.fillRect(left, top, plate, 17);
      context.fillStyle = inkOn(colour);
      context.fillText(text, left + 4, top + 12.5);
    }
    context.globalAlpha = 1;
  }

  /** The index of the smallest box under a point of the canvas, -1 without one. */
  at(x, y) {
    const [px, py] = [x / this.scale, y / this.scale];
    const area = ({ box }) => (box.x2 - box.x1) * (box.y2 - box.y1);
    let found = -1;
    this.boxes.forEach((one, index) => {
      const inside = px >= one.box.x1 && px <= one.box.x2 && py >= one.box.y1 && py <= one.box.y2;
      if (inside && (found < 0 || area(one) < area(this.boxes[found]))) found = index;
    });
    return found;
  }
}
