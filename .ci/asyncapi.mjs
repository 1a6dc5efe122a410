// Gives schemas/asyncapi.yaml to AsyncAPI's own parser. Fails on every error and warning that it has.
//
// Run by .ci/api, which installs the parser: node .ci/asyncapi.mjs <where it is installed> <file>

import { createRequire } from "node:module";
import { resolve } from "node:path";

const [installed, file] = process.argv.slice(2);
const require = createRequire(resolve(installed, "package.json"));
const { Parser, fromFile } = require("@asyncapi/parser");

const parser = new Parser();
const { document, diagnostics } = await fromFile(parser, file).parse();
// 0 is an error, 1 a warning; what remains is advice.
const wrong = diagnostics.filter((diagnostic) => diagnostic.severity <= 1);
for (const { message, path, severity } of diagnostics) {
  console.log(`${severity <= 1 ? "wrong" : "advice"}: ${path.join("/")}: ${message}`);
}
if (wrong.length > 0 || document === undefined) {
  process.exit(1);
}
const channels = document.channels().all().length;
const messages = document.allMessages().all().length;
console.log(`${file}: ${channels} channels, ${messages} messages`);
