// Runs the app's suite inside its sandbox and prints two lines of JSON: vitest's own report, then
// the errors thrown outside of any test. The command line cannot: it writes its report to a file,
// and the app's folder is read-only.
import { startVitest } from "vitest/node";

const vitest = await startVitest("test", [], {
  watch: false,
  reporters: [["json", { stdout: true }]],
  includeTaskLocation: true,
  passWithNoTests: false,
});
const unhandled = vitest.state
  .getUnhandledErrors()
  .map((error) => String(error?.stack ?? error?.message ?? error));
console.log(JSON.stringify({ unhandledErrors: unhandled }));
await vitest.exit();
