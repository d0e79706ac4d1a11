// Colours by class: blue for class 0, orange for class 1; apart in light and dark, also for most colour-blind eyes.

const CLASSES = ["#2f74c0", "#e6791e", "#2f9464", "#9159b8", "#c9477f", "#128a93", "#8f6a46", "#6b7683"];

export const classColor = (index) => CLASSES[index % CLASSES.length];

// From low to high, in even steps of lightness: it reads without colour as well.
const RAMP = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"];

/** The colour of a share between the lowest value and the highest, as `[red, green, blue]`. */
export function rampColor(share) {
  const at = Math.min(RAMP.length - 2, Math.floor(share * (RAMP.length - 1)));
  return mix(RAMP[at], RAMP[at + 1], share * (RAMP.length - 1) - at);
}

/** The page's own colours, which follow the reader's choice of light or dark. */
export function pageColors() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    paper: named("paper"),
    ink: named("ink"),
    muted: named("muted"),
    line: named("line"),
    font: style.fontFamily,
  };
}

/** `share` of the way from one `#rrggbb` to another, as `[red, green, blue]`. */
export function mix(from, to, share) {
  const [one, other] = [channels(from), channels(to)];
  return one.map((value, index) => Math.round(value + (other[index] - value) * share));
}

function channels(color) {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
}
