// Elements, made and found. Text goes in as text: a package's names are never markup.

const GAP = 8; // pixels between a box and what it belongs to

export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** A swatch of a class's colour. */
export function swatch(color, kind = "") {
  const made = element("span", { class: `swatch ${kind}`, "aria-hidden": "true" });
  if (color) made.style.setProperty("--color", color);
  return made;
}

/** Puts a box below a rectangle of the window, or above it where there is no room; never beyond the window. */
export function placeBelow(box, { left, top, bottom }) {
  const { offsetWidth: width, offsetHeight: height } = box;
  const { clientWidth, clientHeight } = document.documentElement;
  const below = bottom + GAP;
  box.style.left = `${Math.max(GAP, Math.min(left, clientWidth - width - GAP))}px`;
  box.style.top = `${Math.max(GAP, below + height > clientHeight ? top - height - GAP : below)}px`;
}

/** A number as short as it can be and still read back to the same float32. */
export function short(value) {
  const wanted = Math.fround(value);
  for (let digits = 1; digits < 9; digits++) {
    const found = Number(wanted.toPrecision(digits));
    if (Math.fround(found) === wanted) return String(found);
  }
  return String(Number(wanted.toPrecision(9)));
}

/** A difference, in three digits. */
export function brief(value) {
  if (value === 0) return "0";
  return Number.isFinite(value) ? value.toExponential(2) : String(value);
}
