// One message and its build: state kept from events, drawn as a card.
import { artefactUrl } from "./api.js";
import { count, el, seconds } from "./dom.js";
import { leftWords, stepWords, totalWords } from "./spending.js";

export const WORDS = {
  queued: "Waiting its turn", planning: "Planning", producing: "Building", succeeded: "Done",
  failed: "Failed", out_of_budget: "Out of budget", cancelled: "Cancelled",
};
const FINAL = ["succeeded", "failed", "out_of_budget", "cancelled"];
const CHECK_WORDS = { passed: "passed", failed: "failed", skipped: "not needed", blocked: "blocked", cut: "stopped: red already", not_run: "could not run" };
const GLYPHS = { passed: "✓", failed: "✕", skipped: "–", blocked: "!", cut: "…", not_run: "?", done: "✓", active: "●", pending: "○" };

export const newBuild = (id, text) => ({
  id, text, state: "queued", plan: null, tasks: new Map(), steps: [], trail: [], notice: "", checks: new Map(), attempt: 0,
  explanation: "", elapsed: null, preview: "", screenshots: [], total: null, spending: null,
});

export function spoken(build) {
  const done = [...build.tasks.values()].filter((task) => task.state === "done").length;
  const progress = build.tasks.size ? `, ${count(done, "task")} done` : "";
  return bounded(`${WORDS[build.state] || build.state}${progress}. ${build.explanation}`, MAX_SPOKEN);
}

const MAX_SPOKEN = 160;

// `trail` keeps steps and notices in the order they happened.
function note(build, text) {
  build.notice = text;
  build.trail.push({ notice: text });
}

// The record's verdict replaces what the events told: it holds every finding and screenshot.
export function settle(build, result) {
  build.text = result.text;
  build.explanation = result.explanation || build.explanation;
  build.spending = result.spending || null;
  if (result.checks.length) build.checks = new Map(result.checks.map((check) => [check.name, { ...check, check: check.name }]));
  build.screenshots = result.checks.flatMap((check) => check.artefacts).filter((path) => path.endsWith(".png")).slice(0, 8);
}

const bounded = (text, limit) => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text);

export const isFinal = (build) => FINAL.includes(build.state);

const findingsOf = (payload) => (Array.isArray(payload.findings) ? payload.findings : []);

function taskOf(build, payload) {
  const key = payload.task ?? payload.title;
  if (!build.tasks.has(key)) build.tasks.set(key, { title: payload.title || "Task", state: "pending", attempts: 0 });
  return build.tasks.get(key);
}

const HANDLERS = {
  "build.started": (b) => { if (b.state === "queued") b.state = b.plan ? "producing" : "planning"; },
  "build.continued": (b, p) => {
    Object.assign(b, { state: "queued", explanation: "", elapsed: null, spending: null });
    note(b, `Continued with a fresh budget after ${count(p.steps, "step")}, ${count(p.tasks_done, "task")} done.`);
  },
  "build.requeued": (b, p) => note(b, p.reason ? `Taken up again: ${p.reason}` : "Taken up again."),
  "plan.ready": (b, p) => { b.plan = p; b.state = "producing"; },
  "task.started": (b, p) => { const t = taskOf(b, p); t.title = p.title || t.title; t.state = "active"; },
  "task.done": (b, p) => { taskOf(b, p).state = "done"; },
  "task.failed": (b, p) => { taskOf(b, p).state = "failed"; },
  "task.reopened": (b, p) => {
    taskOf(b, p).state = "active";
    note(b, "A check found something: mending it.");
  },
  "step.finished": (b, p) => { b.steps.push(p); b.trail.push({ step: p }); b.total = p.total || b.total; b.spending = null; },
  "gate.started": (b, p) => { b.attempt = p.attempt || b.attempt + 1; b.checks = new Map(); taskOf(b, p).attempts = b.attempt; },
  "check.finished": (b, p) => { b.checks.set(p.check, p); },
  "gate.finished": (b) => { b.notice = ""; },
  "context.compacted": (b, p) => note(b, `Earlier steps condensed: ${p.why || "the window is nearly full"}.`),
  "scope.left": (b, p) => note(b, `Outside its files: ${p.path}, because ${p.reason}`),
  "checkpoint.taken": (b, p) => note(b, `Checkpoint ${p.checkpoint} of code and data${p.reason ? `: ${p.reason}` : ""}.`),
  "packages.changed": (b, p) => note(b, `Packages: ${(p.packages || []).join(" ")}`),
  "app.ready": (b, p) => { b.preview = p.preview_url || ""; },
  "build.finished": (b, p) => { b.state = p.state || "failed"; b.explanation = p.explanation || ""; b.elapsed = p.elapsed_s ?? null; },
  notice: (b, p) => { if (p.text) note(b, p.text); },
};
// What a rule saw of a build that runs in circles, and what was done about it.
const BREAKS = { message: "it was told so", forced: "it may only use the tools that help", fresh: "it begins afresh with what is known", failed: "the task is given up" };
const SPIRALS = ["same_call", "no_edit", "alternating", "rewrites", "same_evidence", "no_progress", "no_tool", "oversized"];
for (const rule of SPIRALS) {
  HANDLERS[`spiral.${rule}`] = (b, p) => note(b, `In circles: ${p.text || rule}; ${BREAKS[p.level] || p.level}.`);
}
export const EVENT_KINDS = ["project.created", "project.deleted", "message.posted", "build.queued", ...Object.keys(HANDLERS)];

export function apply(build, event) {
  const handler = HANDLERS[event.kind];
  if (handler) handler(build, event.payload || {});
}

const glyph = (state) => el("span", { class: `glyph ${state}`, "aria-hidden": "true" }, GLYPHS[state] || "○");

function plannedTasks(build) {
  const rows = [...build.tasks.values()];
  const titles = new Set(rows.map((task) => task.title));
  const planned = Array.isArray(build.plan?.tasks) ? build.plan.tasks : [];
  for (const task of planned) {
    const title = typeof task === "string" ? task : task.title;
    if (title && !titles.has(title)) rows.push({ title, state: "pending", attempts: 0 });
  }
  return rows;
}

// A summary often opens with the title, which stands before it already: "CRM: customers and orders".
function withoutTitle(summary, title) {
  const rest = title && summary.startsWith(title) ? summary.slice(title.length) : null;
  if (rest === null || (rest && !/^\s*[:.,–—-]/.test(rest))) return summary;
  return rest.replace(/^[\s:.,–—-]+/, "");
}

function drawPlan(plan) {
  const summary = withoutTitle(plan.summary || "", plan.title || "");
  const names = (list) => (Array.isArray(list) ? list.map((item) => (typeof item === "string" ? item : item.name)).join(", ") : String(list ?? ""));
  const rows = [["Pages", plan.pages], ["Tables", plan.tables], ["Procedures", plan.procedures]].filter(([, list]) => names(list));
  return el("div", { class: "plan" },
    el("p", {}, el("strong", {}, plan.title || "Plan"), summary ? ` — ${summary}` : ""),
    rows.length ? el("details", {}, el("summary", {}, "What it will hold"),
      el("dl", {}, rows.map(([word, list]) => [el("dt", {}, word), el("dd", {}, names(list))]).flat())) : null);
}

function drawFinding(project, finding) {
  if (typeof finding === "string") return el("li", {}, finding);
  const place = finding.line ? `${finding.where}:${finding.line}` : finding.where;
  return el("li", {},
    el("p", { class: "where" }, el("code", {}, place || "app"), " ", finding.message || ""),
    finding.excerpt ? el("pre", { tabindex: "0" }, finding.excerpt) : null,
    /\.png$/.test(finding.artefact || "") ? drawShot(project, finding.artefact) : null);
}

function drawShot(project, path) {
  const address = artefactUrl(project, path);
  const name = path.split("/").pop().replace(/\.png$/, "");
  return el("a", { class: "shot", href: address, target: "_blank", rel: "noopener" },
    el("img", { src: address, alt: `Screenshot: ${name}`, loading: "lazy" }));
}

function checkTime(check) {
  if (check.recalled) return "(unchanged, judged before)";
  return check.elapsed_s ? seconds(check.elapsed_s) : "";
}

function drawCheck(project, check) {
  const findings = findingsOf(check);
  const head = [glyph(check.outcome), el("span", { class: "grow" }, check.check),
    el("span", { class: "soft small" }, `${CHECK_WORDS[check.outcome] || check.outcome} ${checkTime(check)}`)];
  if (!findings.length) return el("li", { class: "check" }, el("div", { class: "line" }, head));
  return el("li", { class: "check" }, el("details", { open: true }, el("summary", { class: "line" }, head),
    el("ul", { class: "findings" }, findings.map((finding) => drawFinding(project, finding)))));
}

function drawSpending(build, proceed) {
  const left = isFinal(build) && build.state !== "succeeded" ? leftWords(build.spending) : "";
  const total = totalWords(build.spending || build.total);
  return [
    total ? el("p", { class: "soft small" }, total) : null,
    left ? el("p", { class: "soft small" }, `Left of the budget: ${left}`) : null,
    proceed && build.state === "out_of_budget"
      ? el("p", {}, el("button", { type: "button", class: "primary", onclick: (event) => { event.target.disabled = true; proceed(); } }, "Continue with a fresh budget"))
      : null,
  ];
}

// The button below does what the command would: its sentence goes, or says it without.
function drawExplanation(build, proceed) {
  let text = build.explanation;
  if (proceed && build.state === "out_of_budget") {
    text = text.replace(/\s*`appfleet chat [^`]+ --continue` goes on from here with a fresh budget\./, "")
      .replace(/`appfleet chat [^`]+ --continue` goes/, "It goes");
  }
  return text ? el("p", { class: "explanation" }, text) : null;
}

function drawTrailed(entry) {
  if (entry.notice) return el("li", { class: "notice" }, entry.notice);
  const { step } = entry;
  return el("li", {}, [`${step.number}. ${step.title}`, seconds(step.elapsed_s), stepWords(step)].filter(Boolean).join(" · "));
}

// `proceed` continues the project's newest build; null for the others.
export function drawBuild(project, build, proceed) {
  const last = build.steps[build.steps.length - 1];
  const running = !isFinal(build);
  return el("li", { class: "exchange" },
    el("div", { class: "bubble" }, build.text),
    el("article", { class: `build ${build.state}`, "aria-label": `Build: ${WORDS[build.state] || build.state}` },
      el("header", { class: "line" },
        el("span", { class: `pill ${build.state}` }, running ? el("span", { class: "pulse", "aria-hidden": "true" }) : null, WORDS[build.state] || build.state),
        el("span", { class: "grow" }),
        el("span", { class: "soft small" }, build.elapsed === null ? "" : seconds(build.elapsed))),
      drawExplanation(build, proceed),
      drawSpending(build, proceed),
      build.plan ? drawPlan(build.plan) : null,
      el("ul", { class: "tasks" }, plannedTasks(build).map((task) => el("li", { class: "line" }, glyph(task.state),
        el("span", { class: "grow" }, task.title), el("span", { class: "soft small" }, task.attempts > 1 ? `attempt ${task.attempts}` : "")))),
      running && last ? el("p", { class: "soft small now" }, [`Step ${last.number}: ${last.title}`, stepWords(last)].filter(Boolean).join(" · ")) : null,
      running && build.notice ? el("p", { class: "small now notice" }, build.notice) : null,
      build.checks.size ? el("ul", { class: "checks", "aria-label": "Checks" }, [...build.checks.values()].map((check) => drawCheck(project, check))) : null,
      build.screenshots.length ? el("div", { class: "shots" }, build.screenshots.map((path) => drawShot(project, path))) : null,
      build.trail.length ? el("details", { class: "trail" },
        el("summary", { class: "soft small" }, count(build.steps.length, "step")),
        el("ul", { class: "soft small" }, build.trail.map(drawTrailed))) : null));
}
