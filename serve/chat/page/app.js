// The chat page: sign in, projects, one project's thread and preview. No framework, no build step.
import * as api from "./api.js";
import { EVENT_KINDS, WORDS, apply, drawBuild, isFinal, newBuild, settle, spoken } from "./build.js";
import { day, el, fromTemplate, showError } from "./dom.js";

const $ = (id) => document.getElementById(id);
const IDEAS = [
  "A booking system for a small hotel: rooms with a price, guests, and reservations with dates",
  "An inventory of spare parts with stock, supplier and a low-stock filter",
  "A pomodoro timer with a calm look",
];
let leave = () => {};

function failed(error) {
  if (error.status === 401) return showSignIn();
  $("connection").textContent = error.message;
  $("connection").title = error.message; // the line shows what fits
}

// ---- sign in -------------------------------------------------------------------------------

function showSignIn(error = null) {
  leave();
  $("shell").hidden = true;
  $("sign-in").hidden = false;
  const line = $("sign-in-error");
  line.hidden = !error;
  line.textContent = error ? error.message : "";
  $("token").focus();
}

async function enter() {
  $("sign-in").hidden = true;
  $("shell").hidden = false;
  await route();
}

$("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await api.signIn($("token").value.trim());
    $("token").value = "";
    await enter();
  } catch (error) {
    showSignIn(error);
  }
});
$("sign-out").addEventListener("click", async () => {
  await api.signOut().catch(failed);
  showSignIn();
});

// ---- projects ------------------------------------------------------------------------------

const lastState = (project) => (project.state === "deleting" ? "Being deleted" : WORDS[project.last_build] || "No build yet");

async function drawProjects(current) {
  const projects = await api.listProjects();
  $("projects").replaceChildren(...projects.map((project) => el("li", {},
    el("a", { href: `/p/${project.id}`, "data-link": true, title: project.id, "aria-current": project.id === current ? "page" : null },
      el("span", { class: "name" }, project.title), el("span", { class: "soft small" }, `${day(project.last_build_at || project.created_at)} · ${lastState(project)}`)))));
}

function onSubmit(form, send) {
  const area = form.querySelector("textarea");
  const button = form.querySelector("button[type=submit]");
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    showError(form, null);
    try {
      await send(area.value);
      area.value = "";
    } catch (error) {
      if (error.status === 401) showSignIn();
      else showError(form, error);
    } finally {
      button.disabled = false;
    }
  });
}

function showNew() {
  const view = fromTemplate("tpl-new");
  const area = view.querySelector("textarea");
  view.querySelector(".ideas").append(...IDEAS.map((idea) => el("li", {},
    el("button", { type: "button", class: "idea", onclick: () => { area.value = idea; area.focus(); } }, idea))));
  onSubmit(view.querySelector("form"), async (text) => go(`/p/${(await api.createProject(text)).project}`));
  $("main").replaceChildren(view);
  document.title = "appfleet";
  area.focus();
}

// ---- one project ---------------------------------------------------------------------------

class ProjectView {
  constructor(project) {
    this.project = project;
    this.builds = new Map();
    this.dirty = false;
    this.node = fromTemplate("tpl-project");
    this.node.querySelector("h1").textContent = project.title;
    this.list = this.node.querySelector(".messages");
    for (const build of project.builds) this.builds.set(build.build, newBuild(build.build, build.text));
    onSubmit(this.node.querySelector("form"), (text) => api.postMessage(project.id, text));
    this.node.querySelector("[data-delete]").addEventListener("click", () => this.remove());
    this.node.querySelector("[data-reload]").addEventListener("click", () => this.reload());
    const app = project.apps[0];
    this.address = app ? app.preview_url : "";
    this.node.querySelector("[data-open]").setAttribute("href", this.address);
    this.node.querySelector(".address").textContent = this.address.replace(/^https?:\/\//, "").replace(/\/$/, "");
    if (project.head) this.reload();
    this.draw();
  }

  onEvent(event) {
    if (event.kind === "project.deleted") return go("/");
    if (!event.build) return;
    if (!this.builds.has(event.build)) this.builds.set(event.build, newBuild(event.build, ""));
    const build = this.builds.get(event.build);
    if (event.kind === "message.posted") build.text = event.payload.text;
    apply(build, event);
    if (event.kind === "plan.ready" && event.payload.title) this.rename(event.payload.title);
    if (event.kind === "app.ready") this.reload();
    if (event.kind === "build.queued" || event.kind === "build.continued") drawProjects(this.project.id).catch(failed);
    if (event.kind === "build.finished") this.complete(build).catch(failed);
    this.draw();
  }

  async complete(build) {
    const result = await api.showBuild(this.project.id, build.id);
    settle(build, result);
    this.draw();
    await drawProjects(this.project.id);
  }

  rename(title) {
    this.node.querySelector("h1").textContent = title;
    document.title = `${title} · appfleet`;
    drawProjects(this.project.id).catch(failed);
  }

  // Many events arrive at once when a history is replayed: draw once per frame.
  draw() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      this.dirty = false;
      const nearEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 120;
      const open = new Set([...this.list.querySelectorAll("details.trail, .plan details")].map((d, i) => (d.open ? i : -1)));
      const newest = [...this.builds.keys()].at(-1);
      this.list.replaceChildren(...[...this.builds.values()].map((build) => drawBuild(this.project.id, build, build.id === newest ? () => this.proceed() : null)));
      this.list.querySelectorAll("details.trail, .plan details").forEach((d, i) => { d.open = open.has(i); });
      if (nearEnd) this.list.scrollTop = this.list.scrollHeight;
      const latest = [...this.builds.values()].at(-1);
      const progress = this.node.querySelector("[data-progress]");
      if (latest && progress.textContent !== spoken(latest)) progress.textContent = spoken(latest);
      const running = [...this.builds.values()].some((build) => !isFinal(build));
      this.node.classList.toggle("running", running);
    });
  }

  async proceed() {
    try {
      await api.continueBuild(this.project.id);
    } catch (error) {
      failed(error);
      this.draw();
    }
  }

  reload() {
    const stage = this.node.querySelector(".stage");
    stage.replaceChildren(el("iframe", {
      src: this.address, title: `Preview of ${this.project.title}`,
      sandbox: "allow-scripts allow-forms allow-same-origin allow-popups allow-modals allow-downloads",
    }));
  }

  async remove() {
    const dialog = $("confirm-delete");
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
    if (dialog.returnValue !== "yes") return;
    $("connection").textContent = "Deleting…";
    try {
      await api.deleteProject(this.project.id);
      $("connection").textContent = "";
      go("/");
    } catch (error) {
      failed(error);
    }
  }
}

async function showProject(id) {
  const project = await api.showProject(id);
  const view = new ProjectView(project);
  $("main").replaceChildren(view.node);
  document.title = `${project.title} · appfleet`;
  leave = api.watch(id, EVENT_KINDS, (event) => view.onEvent(event), (text) => { $("connection").textContent = text; });
}

// ---- addresses -----------------------------------------------------------------------------

async function route() {
  leave();
  leave = () => {};
  $("connection").textContent = "";
  document.body.classList.remove("menu-open");
  $("menu").setAttribute("aria-expanded", "false");
  const id = location.pathname.match(/^\/p\/([^/]+)$/)?.[1];
  try {
    await drawProjects(id);
    if (id) await showProject(decodeURIComponent(id));
    else showNew();
  } catch (error) {
    if (error.status === 404) $("main").replaceChildren(el("div", { class: "welcome" }, el("h1", {}, "Not found"), el("p", {}, error.message)));
    else failed(error);
  }
}

function go(path) {
  history.pushState(null, "", path);
  route();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-link]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
$("menu").addEventListener("click", () => {
  const open = document.body.classList.toggle("menu-open");
  $("menu").setAttribute("aria-expanded", String(open));
});
window.addEventListener("popstate", route);

async function begin() {
  const token = new URLSearchParams(location.search).get("token") || new URLSearchParams(location.hash.slice(1)).get("token");
  try {
    if (token) {
      history.replaceState(null, "", location.pathname); // the token must not stay in the address
      await api.signIn(token);
    } else {
      await api.whoami();
    }
    await enter();
  } catch (error) {
    showSignIn(token || error.status !== 401 ? error : null);
  }
}

begin();
