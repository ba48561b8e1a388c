// The HTTP API as functions. The session cookie travels by itself; errors carry what to do next.

export class ApiError extends Error {
  constructor(status, detail) {
    super([detail.message, detail.action].filter(Boolean).join(" "));
    this.status = status;
    this.code = detail.code;
  }
}

const UNREACHABLE = {
  code: "offline",
  message: "appfleet cannot be reached: it is not running, or the connection to it is down.",
  action: "Start it with `appfleet up`, then try again.",
};

async function call(method, path, body) {
  let answer;
  let value = {};
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    // An answer may also be cut off half-way.
    if ((answer.headers.get("Content-Type") || "").includes("json")) value = await answer.json();
  } catch {
    throw new ApiError(0, UNREACHABLE);
  }
  if (answer.status === 204) return null;
  if (!answer.ok) throw new ApiError(answer.status, value.error || { message: `The platform answered with an error (HTTP ${answer.status}).`, action: "Try again." });
  return value;
}

const at = (project) => `/v1/projects/${encodeURIComponent(project)}`;

export const signIn = (token) => call("POST", "/v1/session", { token });
export const signOut = () => call("DELETE", "/v1/session");
export const whoami = () => call("GET", "/v1/session");
export const listProjects = () => call("GET", "/v1/projects");
export const createProject = (message) => call("POST", "/v1/projects", { message });
export const showProject = (project) => call("GET", at(project));
export const deleteProject = (project) => call("DELETE", at(project));
export const postMessage = (project, text) => call("POST", `${at(project)}/messages`, { text });
export const continueBuild = (project) => call("POST", `${at(project)}/continue`);
export const showBuild = (project, build) => call("GET", `${at(project)}/builds/${encodeURIComponent(build)}`);
export const artefactUrl = (project, path) => `${at(project)}/artefacts/${path.split("/").map(encodeURIComponent).join("/")}`;

// EventSource resumes by itself with Last-Event-ID.
export function watch(project, kinds, onEvent, onState) {
  const source = new EventSource(`${at(project)}/events`);
  for (const kind of kinds) {
    source.addEventListener(kind, (message) => onEvent(JSON.parse(message.data)));
  }
  source.onopen = () => onState("");
  source.onerror = () => onState(source.readyState === EventSource.CLOSED
    ? "Live updates have stopped. Reload this page to go on."
    : "appfleet does not answer; connecting again…");
  return () => source.close();
}
