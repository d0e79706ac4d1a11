// Where the label changes between the cells of a grid.

/**
 * Returns the changes between neighbouring cells: `{from, to, share}`, two cells and how far from the first to the
 * second the boundary lies, by the logits on a straight line between them.
 */
export function labelChanges({ labels, logits }, size, threshold) {
  const score = (cell, label) => scoreOf(logits, labels.length, cell, label, threshold);
  const found = [];
  const look = (from, to) => {
    const [one, other] = [labels[from], labels[to]];
    if (one === other) return;
    const [before, after] = [score(from, one) - score(from, other), score(to, one) - score(to, other)];
    found.push({ from, to, share: before > after ? Math.min(1, Math.max(0, before / (before - after))) : 0.5 });
  };
  for (let cell = 0; cell < labels.length; cell++) {
    if ((cell + 1) % size !== 0) look(cell, cell + 1);
    if (cell + size < labels.length) look(cell, cell + size);
  }
  return found;
}

// Of one logit for two classes, the first class stands at 0 and the second at the logit above its threshold.
function scoreOf(logits, count, cell, label, threshold) {
  const width = logits.length / count;
  return width > 1 ? logits[cell * width + label] : label * (logits[cell] - (threshold ?? 0));
}
