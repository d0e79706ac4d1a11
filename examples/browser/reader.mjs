// Where the page finds parity-reader: `npm run vendor` copies it. With a bundler: export * from "parity-reader";

export * from "./vendor/parity-reader/index.mjs";
