// CommonJS on purpose: Vite writes a temporary file to load any other kind, and the folder this
// runs in may be read-only.
/** @type {import("vitest/config").ViteUserConfig} */
module.exports = {
  // Inline PostCSS options stop a search for configuration files.
  css: { postcss: { plugins: [] } },
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: ["tests/setup.ts"],
    environment: "node",
    // Machines read the report from standard output; by itself it would go to a file.
    reporters: process.argv.includes("--reporter=json") ? [["json", { stdout: true }]] : ["default"],
    // The tests share one database schema, so they run one after the other in one worker.
    pool: "threads",
    maxWorkers: 1,
    fileParallelism: false,
    isolate: false,
    cache: false,
    testTimeout: 10_000,
    hookTimeout: 20_000,
  },
};
