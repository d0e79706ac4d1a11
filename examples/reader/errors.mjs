// Every error that this reader raises on purpose: one sentence with what was wrong, where, and the way out.

const SCREEN = 1500; // characters of a sentence; a screen of 80 columns has 1,920
const END = 400; // of them at the end, where the way out is said

export class ParityError extends Error {
  /** What a command exits with. */
  exitCode = 1;

  constructor(sentence) {
    super(printable(String(sentence)));
  }

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

/** The package does not compute here what its test vectors expect, or what its contract says. */
export class ConformanceError extends ParityError {
  exitCode = 3;
}

/** Text in one line of a screen at most: what does not print (control, bidi, surrogate) is escaped. */
export function printable(text) {
  const cut = text.length > SCREEN ? `${text.slice(0, SCREEN - END)} ... ${text.slice(-END)}` : text;
  return cut.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0).toString(16).padStart(4, "0")}}`,
  );
}

/** The first line of an error that is not this reader's own: those are one sentence. */
export function firstLine(error) {
  return String(error?.message ?? error)
    .trim()
    .split("\n", 1)[0];
}
