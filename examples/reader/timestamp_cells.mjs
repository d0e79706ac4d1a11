// A cell as a moment: seconds since 1970-01-01T00:00:00 UTC as a BigInt, rounded down; one without a zone is in UTC.

import { dateFormat } from "./date_format.mjs";

/** A missing cell in an input of timestamps. */
export const MISSING_TIMESTAMP = -(2n ** 63n);

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)? ?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?$/;
const LARGEST = { month: 12, hour: 23, minute: 59, second: 59 };
const [FIRST, LAST] = [-62135596800, 253402300799]; // the years 1 to 9999

/** Returns `read(cell)`: the seconds of a cell of text, undefined where it is no date; `format` null is ISO 8601. */
export function timestampReader(format, name) {
  const parts = format === null ? isoParts : dateFormat(format, name);
  return (cell) => {
    const found = parts(cell);
    return found && secondsOf(found);
  };
}

/** A JavaScript date as seconds; undefined where it is none, or outside the years 1 to 9999. */
export const dateSeconds = (date) => inYears(Math.floor(date.getTime() / 1000));

/** Seconds as a person reads them: `2024-12-31T23:59:59Z`. */
export function timestampText(seconds) {
  if (BigInt(seconds) === MISSING_TIMESTAMP) return "missing";
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace(".000", "");
}

function isoParts(cell) {
  const found = ISO.exec(cell);
  if (!found) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0));
  const [utc, sign, zoneHour = "0", zoneMinute = "0"] = found.slice(7);
  if (found[4] === undefined && (utc || sign)) return undefined; // a date alone has no zone
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return undefined;
  const zone = (Number(zoneHour) * 3600 + Number(zoneMinute) * 60) * (sign === "-" ? -1 : 1);
  return { year, month, day, hour, minute, second, zone };
}

function secondsOf({ year, month, day, hour, minute, second, zone = 0 }) {
  const inside = Object.entries({ month, hour, minute, second }).every(([part, value]) => value <= LARGEST[part]);
  if (!inside || month < 1 || day < 1 || year < 1) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // Date.UTC() takes the year 99 for 1999
  if (date.getUTCDate() !== day) return undefined; // the 30th of February
  return inYears(date.getTime() / 1000 + hour * 3600 + minute * 60 + second - zone);
}

const inYears = (seconds) => (seconds >= FIRST && seconds <= LAST ? BigInt(seconds) : undefined);
