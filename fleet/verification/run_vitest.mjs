// Runs the app's suite inside its sandbox and prints lines of JSON: vitest's own report, then the
// errors thrown outside of any test, then what failed when the suite ran again in reverse order or
// under another clock. The command line cannot: it writes its report to a file, and the app's
// folder is read-only. The first argument is the text of vitest_runner.mjs.
import { BroadcastChannel } from "node:worker_threads";
import { startVitest } from "vitest/node";

const [, runnerText] = process.argv;
const passes = (process.env.EXTRA_PASSES ?? "").split(",").filter(Boolean);
const stallMs = Number(process.env.STALL_MS ?? 21_000); // longer than any single test may take
const runnerId = "virtual:appfleet-runner";

// A test that never yields blocks its worker, and vitest's own timeouts with it: this side of the
// channel still learns which test it was.
let running;
let watch;
const progress = new BroadcastChannel("appfleet-tests");
progress.onmessage = ({ data }) => {
  running = data;
  clearTimeout(watch);
  if (running === null) return;
  watch = setTimeout(() => {
    process.stdout.write(`\n${JSON.stringify({ stuck: running })}\n`, () => process.exit(1));
  }, stallMs);
  watch.unref();
};
progress.unref();

const plugin = {
  name: "appfleet-runner",
  enforce: "pre",
  resolveId: (id) => (id.endsWith(runnerId) ? `\0${runnerId}` : undefined),
  load: (id) => (id === `\0${runnerId}` ? runnerText : undefined),
};

let order = [];
class ReversedFiles {
  async sort(files) {
    const place = (file) => order.indexOf(file.moduleId);
    return [...files].sort((a, b) => place(b) - place(a));
  }
  async shard(files) {
    return files;
  }
}

async function run(kinds, reporters) {
  process.env.TEST_PASSES = kinds.join(",");
  const options = {
    watch: false,
    reporters,
    includeTaskLocation: true,
    passWithNoTests: false,
    runner: runnerId,
    ...(kinds.includes("order") ? { sequence: { sequencer: ReversedFiles } } : {}),
  };
  return startVitest("test", [], options, { plugins: [plugin] });
}

/** The failures of one more run, by file and name; those of a deadline say nothing about order. */
async function again(kinds) {
  const failures = new Map();
  const collect = {
    onTestCaseResult(test) {
      const result = test.result();
      if (result.state !== "failed") return;
      const [error] = result.errors;
      const failure = error?.stack ?? error?.message ?? "";
      if (/timed out in \d+ ?ms/.test(failure)) return;
      const file = test.module.moduleId;
      const line = test.location?.line ?? 0;
      failures.set(`${file}\0${test.fullName}`, { file, name: test.fullName, line, failure });
    },
  };
  const vitest = await run(kinds, [collect]);
  await vitest.close();
  return failures;
}

const reporters = [
  ["json", { stdout: true }],
  { onTestModuleEnd: (module) => order.push(module.moduleId) },
];
const vitest = await run([], reporters);
const unhandled = vitest.state
  .getUnhandledErrors()
  .map((error) => String(error?.stack ?? error?.message ?? error));
console.log(JSON.stringify({ unhandledErrors: unhandled }));
await vitest.close();

// Each run has a worker and a database schema of its own, so that nothing of the last one remains.
const exitCode = process.exitCode ?? 0;
if (passes.length > 0 && exitCode === 0 && unhandled.length === 0) {
  const suspects = await again(passes);
  const found = [];
  for (const kind of suspects.size > 0 ? passes : []) {
    const failures = await again([kind]);
    for (const [key, failure] of failures) {
      if (suspects.delete(key)) found.push({ kind, ...failure });
    }
  }
  console.log(JSON.stringify({ failedAgain: found }));
}
process.exit(exitCode);
