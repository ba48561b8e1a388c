// The one process: tRPC at /trpc, the pages everywhere else, on a port or a unix socket.
import { rmSync } from "node:fs";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { servePagesFromDist, servePagesWithVite } from "./pages.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

const production = process.argv.includes("--production") || process.env.NODE_ENV === "production";
process.env.NODE_ENV ??= production ? "production" : "development";
const shutdownLimitMs = 5_000;

const server = http.createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(`${request.method} ${request.url} failed:`, error);
    if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" });
    response.end("Something went wrong on the server.");
  });
});

// Listening comes first and both halves load side by side; a request waits for the half it needs.
const api: Promise<Handler> = loadApi();
listen();
const pages: Promise<Handler> = api.then(() =>
  production ? servePagesFromDist() : servePagesWithVite(server),
);
// A server that cannot load what it serves must not look alive.
for (const half of [api, pages]) half.catch(fail);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0];
  if (path === "/healthz") {
    await api;
    response.writeHead(200, { "content-type": "application/json" }).end('{"ok":true}');
  } else if (path?.startsWith("/trpc/")) {
    await (await api)(request, response);
  } else {
    await (await pages)(request, response);
  }
}

async function loadApi(): Promise<Handler> {
  const [{ createHTTPHandler }, { appRouter }] = await Promise.all([
    import("@trpc/server/adapters/standalone"),
    import("./router.ts"),
  ]);
  return createHTTPHandler({ router: appRouter, basePath: "/trpc/", maxBodySize: 1_000_000 });
}

function listen(): void {
  const { SOCKET, PORT } = process.env;
  server.on("error", fail);
  if (SOCKET) {
    rmSync(SOCKET, { force: true }); // left behind by a process that was killed
    server.listen(SOCKET, () => console.log(`Listening on ${SOCKET}`));
  } else {
    const port = Number(PORT ?? 3000);
    server.listen(port, () => console.log(`Listening on http://localhost:${port}`));
  }
}

function fail(error: unknown): void {
  console.error("The server cannot run:", error);
  process.exit(1);
}

function stop(): void {
  server.close(async () => {
    const { closeDatabase } = await import("./db.ts");
    await closeDatabase();
    process.exit(0);
  });
  server.closeIdleConnections();
  // Open websockets and slow answers must not hold the process up.
  setTimeout(() => process.exit(0), shutdownLimitMs).unref();
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
