// How the pages reach the browser: through Vite while developing, from dist/ in production.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import type { ViteDevServer } from "vite";

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const root = path.join(import.meta.dirname, "..");

/** Hot reload goes over the same server, so one port or socket is all the app needs. */
export async function createVite(server: Server, rebundle = false): Promise<ViteDevServer> {
  const [{ createServer }, { default: config }] = await Promise.all([
    import("vite"),
    import("../vite.config.ts"),
  ]);
  return createServer({
    ...config,
    configFile: false, // loaded above; Vite's own loader would write a file
    appType: "spa",
    clearScreen: false,
    optimizeDeps: { ...config.optimizeDeps, force: rebundle },
    server: { ...config.server, middlewareMode: true, hmr: { server } },
  });
}

export async function servePagesWithVite(server: Server): Promise<Handler> {
  const vite = await createVite(server);
  return (request, response) =>
    new Promise((resolve, reject) => {
      response.once("close", resolve);
      vite.middlewares(request, response, (error?: unknown) => {
        if (error) return reject(error);
        notFound(response);
      });
    });
}

const types: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** Built by `npm run build`. A path that is no file is a page of the app: index.html. */
export async function servePagesFromDist(): Promise<Handler> {
  const dist = path.join(root, "dist");
  await stat(path.join(dist, "index.html")).catch((cause: unknown) => {
    throw new Error("dist/index.html is missing. Run `npm run build` first.", { cause });
  });
  return async (request, response) => {
    const wanted = filePath(dist, request.url ?? "/");
    const isAsset = path.extname(wanted) !== "";
    const file = isAsset ? wanted : path.join(dist, "index.html");
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) return notFound(response);
    const hashed = file.startsWith(path.join(dist, "assets") + path.sep);
    response.writeHead(200, {
      "content-type": types[path.extname(file)] ?? "application/octet-stream",
      "content-length": found.size,
      "cache-control": hashed ? "public, max-age=31536000, immutable" : "no-cache",
      "x-content-type-options": "nosniff",
    });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    await pipeline(createReadStream(file), response);
  };
}

/** Normalised as an absolute path first, so that `..` cannot leave the folder. */
function filePath(folder: string, url: string): string {
  const encoded = url.split("?", 1)[0] ?? "/";
  let decoded = "/";
  try {
    decoded = decodeURIComponent(encoded);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  return path.join(folder, path.posix.normalize(`/${decoded.replaceAll("\0", "")}`));
}

function notFound(response: ServerResponse): void {
  if (!response.headersSent) response.writeHead(404, { "content-type": "text/plain" });
  response.end("There is nothing here.");
}
