// Fills Vite's cache of bundled packages, so that no page load has to: `npm run prebundle`.
// The cache fits one place on disk: run this where the app will run. VITE_CACHE_DIR moves it.
import http from "node:http";

process.env.NODE_ENV = "development"; // part of the cache's key, so it comes before Vite loads
const { createVite } = await import("./pages.ts");
const vite = await createVite(http.createServer(), true);
const bundled = Object.values(vite.environments.client.depsOptimizer?.metadata.optimized ?? {});
if (bundled.length === 0) throw new Error("Vite bundled nothing.");
await Promise.all(bundled.map((dependency) => dependency.processing));
console.log(`Bundled ${bundled.length} packages into ${vite.config.cacheDir}.`);
await vite.close();
