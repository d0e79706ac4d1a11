// A table's cells as the arrays of the graph's inputs.

import { InputError, cellReader, columns, element, isClassifier, isMissingCell, kindProblem } from "parity-reader";

/** Where each feature stands in the table's header, in the graph's order, and how its cells are read. */
export function findFeatures(contract, header, where) {
  const inputs = new Set(contract.features.map(({ input }) => input));
  if (!isClassifier(contract) && contract.task !== "regression")
    throw new InputError(
      `${contract.name} has the task ${contract.task}, whose predictions this program cannot write as columns; call run() of the predictor in your own program`,
    );
  if (inputs.size === 0 || !contract.inputs.every(({ name }) => inputs.has(name))) {
    throw new InputError(
      `${contract.name} takes tensors, not rows of a table; call run() of the predictor in your own program`,
    );
  }
  return columns(contract).map((feature) => {
    const at = header.indexOf(feature.name);
    if (at < 0)
      throw new InputError(
        `${where} has no column ${JSON.stringify(feature.name)}; it has ${JSON.stringify(header.slice(0, 20)).slice(1, -1)}`,
      );
    return { ...feature, at, read: cellReader(contract, feature) };
  });
}

/** The graph's inputs `{dims, data}` by name for those rows; `place(row)` names a row in messages. */
export function cellInputs(rows, features, place) {
  const inputs = {};
  for (const [column, feature] of features.entries()) {
    const input = (inputs[feature.input] ??= { first: column, dims: [rows.length, 0], data: [] });
    input.dims[1]++;
  }
  rows.forEach(({ cells }, row) => {
    for (const [column, feature] of features.entries()) {
      const { first, dims, data } = inputs[feature.input];
      data[row * dims[1] + column - first] = cellElement(cells[feature.at], feature, () => place(row));
    }
  });
  return inputs;
}

function cellElement(cell, feature, place) {
  const found = feature.read(cell);
  const refused = (problem) => new InputError(`${place()}: ${feature.name} is ${JSON.stringify(cell)}, ${problem}`);
  if (found === undefined) throw refused(kindProblem(feature));
  if (isMissingCell(feature, found)) {
    if (feature.missing === "refuse")
      throw refused("a missing cell, which this model does not take; fill it or leave the row out");
    return found;
  }
  if (typeof found !== "number") return found;
  if (!Number.isFinite(found)) throw refused("and this model needs finite numbers; correct it or leave the row out");
  if (element(feature.dtype, found) === undefined) throw refused(`which ${feature.dtype} cannot hold; correct it`);
  return found;
}
