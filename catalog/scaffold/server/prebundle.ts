// Fills Vite's cache of bundled packages, so that no page load has to: `npm run prebundle`.
// The cache fits one place on disk: run this where the app will run. VITE_CACHE_DIR moves it.
import { createServer } from "vite";
import config from "../vite.config.ts";

process.env.NODE_ENV = "development"; // part of the cache's key
const server = await createServer({
  ...config,
  configFile: false,
  appType: "spa",
  clearScreen: false,
  optimizeDeps: { ...config.optimizeDeps, force: true },
  server: { ...config.server, middlewareMode: true, hmr: false, ws: false, watch: null },
});
const optimizer = server.environments.client.depsOptimizer;
if (optimizer === undefined) throw new Error("Vite offers no dependency optimizer here.");
await Promise.all(Object.values(optimizer.metadata.optimized).map((dependency) => dependency.processing));
console.log(`Bundled ${Object.keys(optimizer.metadata.optimized).length} packages into ${server.config.cacheDir}.`);
await server.close();
