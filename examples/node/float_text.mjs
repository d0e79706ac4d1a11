// A float32 as the shortest decimal that reads back to the same float32, written as Parity writes it: 0.1, 1.0, 1e-05.

const POSITIONAL_FROM = 1e-4;
const SCIENTIFIC_FROM = 1e16;

export function float32Text(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (size === 0) return `${sign}0.0`;
  const [digits, exponent] = shortest(size);
  return (
    sign +
    (size >= POSITIONAL_FROM && size < SCIENTIFIC_FROM ? positional(digits, exponent) : scientific(digits, exponent))
  );
}

// Returns the digits, without zeros at the end, and the decimal exponent of the first one. Nine digits always do.
function shortest(size) {
  const [mantissa, exponent] = size.toExponential(60).split("e");
  const exact = mantissa.replace(".", "");
  const farthest = Math.max(size * 2 ** -23, 2 ** -149); // no two neighbours are farther apart
  for (let count = 1; ; count++) {
    for (const digits of nearest(exact, count)) {
      if (Math.abs(digits * 10 ** (exponent - count + 1) - size) > farthest) continue; // spares the parsing
      if (Math.fround(Number(`${digits}e${exponent - count + 1}`)) !== size) continue;
      return [String(digits).replace(/0+$/, ""), Number(exponent) + String(digits).length - count];
    }
  }
}

// The two decimals of that many digits around the exact value: the nearer one first, of a tie the even one. Below a
// power of two the floats are denser, so that the nearer one may read back to another float and the other one not.
function nearest(exact, count) {
  const down = Number(exact.slice(0, count));
  const tie = exact[count] === "5" && !/[^0]/.test(exact.slice(count + 1));
  const up = tie ? down % 2 === 1 : exact[count] >= "5";
  return up ? [down + 1, down] : [down, down + 1];
}

function positional(digits, exponent) {
  if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${whole}.${digits.slice(exponent + 1) || "0"}`;
}

function scientific(digits, exponent) {
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
