// Turns an explorer's view to the uncertified band nearest to its cross-hair.

import { brief, byId } from "./dom.mjs";
import { findBand } from "./uncertified_band.mjs";
import { around } from "./view.mjs";

const WINDOW = 3; // of the band's reach, on both sides

export async function zoomToBand(explorer) {
  const { axes, point, features, painter } = explorer;
  await explorer.paint();
  const change = nearest(painter.painted, explorer.at(point));
  if (!change) return note("There is no boundary in this view: choose Whole range first.");
  const predict = (points) => explorer.predict(points, { point, axes });
  const band = await findBand(predict, ...change);
  if (!band) return note("Every float32 number beside the boundary is certified here.");
  const along = features[axes[band.axis]];
  const wide = axes.map((axis) => features[axis].high - features[axis].low);
  explorer.move(band.center, true);
  explorer.look(
    around(
      band.center,
      wide.map((width) => (WINDOW * band.reach * width) / wide[band.axis]),
    ),
  );
  note(`Here the band reaches about ${brief(band.reach)} to each side of the boundary, along ${along.name}.`);
}

// The change of label nearest to a place, by distance in the view, as its two points.
function nearest({ view, grid, changes }, [atX, atY]) {
  const distance = ([x, y]) => Math.hypot((x - atX) / (view.x[1] - view.x[0]), (y - atY) / (view.y[1] - view.y[0]));
  let best = null;
  for (const { from, to } of changes) {
    const away = distance(grid[from]);
    if (!best || away < best.away) best = { away, ends: [grid[from], grid[to]] };
  }
  return best?.ends;
}

function note(text) {
  byId("band-note").textContent = text;
  byId("band-note").hidden = false;
  byId("announcement").textContent = text;
}
