// CSV in batches of rows, so that memory does not grow with the table.

import { pipeline } from "node:stream/promises";
import { CsvError, parse } from "csv-parse";
import { InputError } from "parity-reader";

const LONGEST_RECORD = 2 ** 20; // characters; a quote that is never closed would take the whole table into memory
const PROBLEMS = {
  CSV_QUOTE_NOT_CLOSED: "a quote is left open",
  CSV_MAX_RECORD_SIZE: "a row is longer than 1 MiB, or a quote before it is left open",
  INVALID_OPENING_QUOTE: "there is a quote inside a cell that is not quoted",
  CSV_INVALID_CLOSING_QUOTE: "there is text after a closing quote",
};

/**
 * Reads UTF-8 CSV with a header. Calls `onHeader(header)`, then `onBatch(rows, first)` with up to `size` rows at a
 * time; `first` is the number of the first row, from 1 without the header. The header and each row are
 * `{cells, text, newline}`: text is the line as it stands in the file, so that it can be passed on untouched.
 */
export async function readCsv(stream, where, size, { onHeader, onBatch }) {
  const parser = parse({
    info: true,
    max_record_size: LONGEST_RECORD,
    raw: true,
    record_delimiter: ["\r\n", "\n"],
    relax_column_count: true, // counted below, where the message can say what to do
    skip_empty_lines: true,
  });
  try {
    await pipeline(stream, decoded, parser, (records) => batches(records, where, size, { onHeader, onBatch }));
  } catch (error) {
    if (error?.code === "ERR_ENCODING_INVALID_ENCODED_DATA") {
      throw new InputError(`${where} is not UTF-8 somewhere after line ${parser.info.lines}; convert it to UTF-8`);
    }
    if (!(error instanceof CsvError)) throw error;
    throw new InputError(
      `${where}, line ${error.lines}: ${PROBLEMS[error.code] ?? error.message}; write the table as CSV`,
    );
  }
}

/** Cells as CSV, quoted only where they must be. */
export function csvText(cells) {
  return cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",");
}

// Strips a byte order mark, and refuses what is not UTF-8 instead of replacing it.
async function* decoded(stream) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const chunk of stream) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}

async function batches(records, where, size, { onHeader, onBatch }) {
  let header,
    rows = [],
    first = 1;
  for await (const { record, raw, info } of records) {
    const row = line(record, raw);
    if (header === undefined) {
      header = checkHeader(row, where);
      await onHeader(header);
    } else {
      checkRow(row, header, where, info.lines);
      if (rows.push(row) < size) continue;
      await onBatch(rows, first);
      first += rows.length;
      rows = [];
    }
  }
  if (header === undefined) throw new InputError(`${where} is empty; its first line must name the columns`);
  if (rows.length > 0) await onBatch(rows, first);
}

// csv-parse's raw text has the empty lines before a row, and of the line's end as much as it has looked at.
function line(cells, raw) {
  const text = raw.replace(/^[\r\n]+/, "");
  const end = /\r?\n?$/.exec(text)[0];
  return { cells, text: text.slice(0, text.length - end.length), newline: end.startsWith("\r") ? "\r\n" : "\n" };
}

function checkHeader(header, where) {
  const cells = header.cells.map((name) => name.trim());
  const doubled = cells.find((name, index) => cells.indexOf(name) !== index);
  if (doubled !== undefined)
    throw new InputError(`${where} has the column ${JSON.stringify(doubled)} twice; rename one`);
  return { ...header, cells };
}

function checkRow({ cells }, header, where, place) {
  if (cells.length === header.cells.length) return;
  const problem = `${cells.length} cells, but the header names ${header.cells.length} columns`;
  throw new InputError(`${where}, line ${place}: ${problem}; quote a cell that holds a comma`);
}
