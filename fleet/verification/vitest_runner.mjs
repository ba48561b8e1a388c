// vitest's runner inside the worker, which also notes of every test what it asserted and which
// procedures it called, and can run tests in reverse order and under another clock.
import { BroadcastChannel } from "node:worker_threads";
import { expect, TestRunner } from "vitest";

const passes = (process.env.TEST_PASSES ?? "").split(",");
// A Saturday evening at the end of a month and of a year: far from any day a test was written on.
const otherMoment = Date.UTC(2033, 11, 31, 22, 30);

if (passes.includes("clock")) {
  const offset = otherMoment - Date.now();
  globalThis.Date = new Proxy(Date, {
    construct: (real, given, target) =>
      Reflect.construct(real, given.length > 0 ? given : [real.now() + offset], target),
    apply: (real) => new real(real.now() + offset).toString(),
    get: (real, name, receiver) =>
      name === "now" ? () => real.now() + offset : Reflect.get(real, name, receiver),
  });
}

const progress = new BroadcastChannel("appfleet-tests");
progress.unref();

let traced = false;
let called = new Set(); // by hooks and by the file itself; then by the test that runs
let shared = called;

/** Every procedure is built on `initTRPC.create().procedure`; a middleware there sees each call. */
async function traceProcedures() {
  const { initTRPC } = await import("@trpc/server");
  const builder = Object.getPrototypeOf(initTRPC);
  const { create } = builder;
  builder.create = function (...options) {
    const root = create.apply(this, options);
    traced = true;
    const procedure = root.procedure.use(({ path, next }) => {
      called.add(path);
      return next();
    });
    return { ...root, procedure };
  };
}

await traceProcedures().catch((error) => console.warn("procedures are not traced:", error.message));

export default class NotingRunner extends TestRunner {
  onCollectStart(file) {
    called = shared = new Set();
    progress.postMessage({ file: file.filepath, name: "", line: 0 });
    return super.onCollectStart?.(file);
  }

  async onBeforeRunSuite(suite) {
    if (passes.includes("order")) suite.tasks.reverse();
    return super.onBeforeRunSuite?.(suite);
  }

  onAfterRunFiles(files) {
    progress.postMessage(null);
    return super.onAfterRunFiles?.(files);
  }

  onBeforeTryTask(test, options) {
    called = new Set();
    progress.postMessage({
      file: test.file.filepath,
      name: test.fullTestName ?? test.name,
      line: test.location?.line ?? 0,
    });
    return super.onBeforeTryTask?.(test, options);
  }

  onAfterTryTask(test, options) {
    const own = test.context._local ? test.context.expect : expect;
    test.meta.asserted = own.getState().assertionCalls;
    return super.onAfterTryTask?.(test, options);
  }

  onAfterRunTask(test) {
    // Also of a test that failed: it did call.
    if (traced) test.meta.called = [...new Set([...shared, ...called])];
    called = shared;
    return super.onAfterRunTask?.(test);
  }
}
