// Sums Vitest's JSON reports and prints `N passed, N failed`: `node tools/count-tests.js FOLDER [FAILED PHASE]…`.
// The report FOLDER/PHASE.json explains why that phase failed; one without failures there counts as a failed test itself.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const [folder = '.', ...failedPhases] = process.argv.slice(2);
const unexplained = new Set(failedPhases);
let [passed, failed, skipped] = [0, 0, 0];
for (const name of readdirSync(folder)) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  // A file that does not even load has failed without any test of its own.
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  const failures = report.numFailedTests + unloaded.length;
  if (failures > 0) unexplained.delete(basename(name, '.json'));
  passed += report.numPassedTests;
  failed += failures;
  skipped += report.numPendingTests + report.numTodoTests;
}
failed += unexplained.size;
if (skipped > 0) console.log(`${skipped} skipped, for the reasons printed above`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
