// Bundles the app's browser side into its dist folder, inside its sandbox, and prints one line of
// JSON: what keeps it from being bundled. Development code, so that React warns as it does in dev;
// names without hashes, so that what a page says does not change with every edit.
import { build } from "vite";

process.env.NODE_ENV = "development";

const names = {
  entryFileNames: "assets/[name].js",
  chunkFileNames: "assets/[name].js",
  assetFileNames: "assets/[name][extname]",
};

function told(error) {
  return {
    file: String(error.loc?.file ?? error.id ?? ""),
    line: Number(error.loc?.line ?? 0),
    code: String(error.code ?? ""),
    message: String(error.message ?? error),
  };
}

let errors = [];
try {
  await build({
    root: process.cwd(),
    configLoader: "native", // any other writes a file
    mode: "development",
    logLevel: "error",
    build: {
      outDir: "dist",
      emptyOutDir: false, // a mount point, empty already
      minify: false,
      cssMinify: false,
      sourcemap: true,
      modulePreload: false,
      reportCompressedSize: false,
      rolldownOptions: { output: names },
    },
  });
} catch (error) {
  errors = (error.errors?.length ? error.errors : [error]).map(told);
}
console.log(JSON.stringify({ bundleErrors: errors }));
process.exit(0);
