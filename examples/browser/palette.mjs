// Colours by class: blue for class 0, orange for class 1; the first seven are apart in light and dark, also for most
// colour-blind eyes. Each of those after them is as far from all before as it can be.

const FIRST = ["#2f74c0", "#e6791e", "#2f9464", "#9159b8", "#c9477f", "#128a93", "#8f6a46"];
const MOST = 256; // colours: more of them cannot be told apart
const STEP = 17; // of a channel, from one candidate to the next
const LIGHTNESS = [0.52, 0.85]; // of candidates: darker and lighter ones are lost on a dark or a light page

/** Classes whose colours are told apart at a glance; of more of them the page lists those first that matter most. */
export const FEW_CLASSES = 12;

/** Of a row without the label that is drawn. */
export const plainColor = "#8a8a8a";

const colors = [...FIRST];
let candidates; // the colours that are left, each with its distance to the nearest of `colors`

/** The colour of a class as `#rrggbb`: the same whatever the number of classes. */
export function classColor(index) {
  while (colors.length <= index % MOST) colors.push(farthest());
  return colors[index % MOST];
}

function farthest() {
  candidates ??= startingCandidates();
  const best = candidates.reduce((one, other) => (other.away > one.away ? other : one));
  for (const one of candidates) one.away = Math.min(one.away, distance(one.place, best.place));
  return best.color;
}

function startingCandidates() {
  const taken = [...FIRST, plainColor].map(oklab);
  const levels = Array.from({ length: 255 / STEP + 1 }, (_, at) => (at * STEP).toString(16).padStart(2, "0"));
  return levels
    .flatMap((red) => levels.flatMap((green) => levels.map((blue) => `#${red}${green}${blue}`)))
    .map((color) => ({ color, place: oklab(color) }))
    .filter(({ place: [lightness] }) => lightness > LIGHTNESS[0] && lightness < LIGHTNESS[1])
    .map((one) => ({ ...one, away: Math.min(...taken.map((place) => distance(one.place, place))) }));
}

// Squared: which of two is larger is all that counts.
const distance = (one, other) => (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2;

// A place in Oklab (B. Ottosson, "A perceptual color space for image processing", 2020), where equal distances look alike:
// lightness, green to red, blue to yellow.
function oklab(color) {
  const linear = channels(color).map((value) =>
    value > 10.31475 ? ((value / 255 + 0.055) / 1.055) ** 2.4 : value / 255 / 12.92,
  );
  const dot = (weights, of) => weights.reduce((sum, weight, at) => sum + weight * of[at], 0);
  const cones = CONES.map((weights) => Math.cbrt(dot(weights, linear)));
  return OPPONENTS.map((weights) => dot(weights, cones));
}

const CONES = [
  [0.4122214708, 0.5363325363, 0.0514459929],
  [0.2119034982, 0.6806995451, 0.1073969566],
  [0.0883024619, 0.2817188376, 0.6299787005],
];
const OPPONENTS = [
  [0.2104542553, 0.793617785, -0.0040720468],
  [1.9779984951, -2.428592205, 0.4505937099],
  [0.0259040371, 0.7827717662, -0.808675766],
];

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
