// Every error that this reader raises on purpose: one sentence with what was wrong, where, and the way out.

export class ParityError extends Error {
  /** What a command exits with. */
  exitCode = 1;

  get name() {
    return this.constructor.name;
  }
}

/** Rows, columns or options that a caller handed in cannot be used. */
export class InputError extends ParityError {}

/** A file holds something that the package format does not allow. */
export class FormatError extends ParityError {}

/** A file is not the one that was packaged. */
export class DigestError extends ParityError {
  exitCode = 3;
}

/** The package does not answer here as it was recorded, or as its contract says. */
export class ConformanceError extends ParityError {
  exitCode = 3;
}

/** The first line of a foreign error: ours say one sentence. */
export function firstLine(error) {
  return String(error?.message ?? error)
    .trim()
    .split("\n", 1)[0];
}
