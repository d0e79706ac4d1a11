// The elementary functions in double precision, each accurate to a few units of it: 2^-29 of float32's.

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const SIXTH = Math.fround(1 / 6);
const SELU_ALPHA = Math.fround(1.6732632423543772);
const SELU_SCALE = Math.fround(1.0507009873554805);
const SERIES_ENDS = 2.5;

// erf by its series of positive terms (Abramowitz and Stegun 7.1.6), erfc by its continued fraction (7.1.14).
function erfSeries(x) {
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function erfcFraction(x) {
  let fraction = x;
  for (let n = 120; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}

export function erfc(x) {
  if (Math.abs(x) < SERIES_ENDS) return 1 - erfSeries(x);
  return x > 0 ? erfcFraction(x) : 2 - erfcFraction(-x);
}

function erf(x) {
  if (Math.abs(x) < 1e-9) return (2 / Math.sqrt(Math.PI)) * x;
  if (Math.abs(x) < SERIES_ENDS) return erfSeries(x);
  return x > 0 ? 1 - erfcFraction(x) : erfcFraction(-x) - 1;
}

function sigmoid(x) {
  const small = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : small) / (1 + small);
}

const softplus = (x) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);
const elu = (x) => (x > 0 ? x : Math.expm1(x));
const clamped = (x) => Math.min(Math.max(x, 0), 1);

export const FUNCTIONS = {
  Tanh: Math.tanh,
  Sigmoid: sigmoid,
  Erf: erf,
  Exp: Math.exp,
  Log: Math.log,
  Sqrt: Math.sqrt,
  HardSigmoid: (x) => clamped(x * SIXTH + 0.5),
  Gelu: (x) => 0.5 * x * erfc(-x / Math.SQRT2),
  GeluTanh: (x) => x / (1 + Math.exp(-2 * SQRT_2_OVER_PI * (x + 0.044715 * x ** 3))),
  Silu: (x) => x * sigmoid(x),
  Softplus: softplus,
  Elu: elu,
  Celu: elu,
  Selu: (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x)),
  Mish: (x) => x * Math.tanh(softplus(x)),
  HardSwish: (x) => x * clamped(x / 6 + 0.5),
};
