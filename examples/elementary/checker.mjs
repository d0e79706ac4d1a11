// Evaluates elementary functions with a JavaScript onnxruntime over the float32 values, and compares with what is allowed.

import { FUNCTIONS } from "./functions.mjs";

const CHUNK = 2 ** 16;
const LARGEST = 2 ** 125; // where the table ends
const FLUSHED = 2 ** -126; // any result may become zero when it is subnormal

// Returns, for each function, the largest share of its limit that an error took (above 1 the error bounds do not hold
// here), the float32 where, the beta that would do, and how many values were tested. `ort` is onnxruntime-node or
// onnxruntime-web; every `stride`-th float32 is tested.
export async function check(ort, model, limits, { stride = 1, names = Object.keys(limits), onProgress = () => {} } = {}) {
  const session = await ort.InferenceSession.create(model);
  const worst = Object.fromEntries(names.map((name) => [name, { share: 0, at: 0, beta: 0, tested: 0 }]));
  for (let start = 0; start < 2 ** 32; start += CHUNK * stride) {
    const x = values(start, stride);
    if (x.length === 0) continue;
    const outputs = await session.run({ x: new ort.Tensor("float32", x, [x.length]) }, names);
    for (const name of names) compare(x, outputs[name].data, FUNCTIONS[name], limits[name], worst[name]);
    onProgress(start / 2 ** 32);
  }
  return worst;
}

// The finite float32 values whose bits are start, start + stride, ...
function values(start, stride) {
  const bits = new Uint32Array(CHUNK);
  const count = Math.min(CHUNK, Math.ceil((2 ** 32 - start) / stride));
  for (let index = 0; index < count; index++) bits[index] = start + index * stride;
  return new Float32Array(bits.buffer, 0, count).filter(Number.isFinite);
}

function compare(x, found, reference, { alpha, beta }, worst) {
  for (let index = 0; index < x.length; index++) {
    const exact = reference(x[index]);
    if (Number.isNaN(exact) || Math.abs(exact) > LARGEST) continue; // no logarithm of a negative number
    const error = Math.abs(found[index] - exact);
    const share = error / (alpha * Math.abs(exact) + beta + FLUSHED);
    worst.beta = Math.max(worst.beta, error - alpha * Math.abs(exact));
    if (!(share <= worst.share)) Object.assign(worst, { share: Number.isNaN(share) ? Infinity : share, at: x[index] });
    worst.tested++;
  }
}
