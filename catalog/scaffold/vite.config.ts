import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Every package the browser side may import. They are bundled once, by `npm run prebundle`, so
// that no page load ever has to. Add a package here when you add it to package.json.
const browserPackages = [
  "@tanstack/react-query",
  "@trpc/client",
  "@trpc/tanstack-react-query",
  "react",
  "react-dom",
  "react-dom/client",
  "react/jsx-dev-runtime",
  "react/jsx-runtime",
  "wouter",
  "zod",
];

export default defineConfig({
  root: import.meta.dirname,
  cacheDir: process.env.VITE_CACHE_DIR ?? "node_modules/.vite",
  plugins: [react()],
  optimizeDeps: { include: browserPackages, noDiscovery: true },
  server: { allowedHosts: true },
  build: { outDir: "dist", target: "es2023" },
});
