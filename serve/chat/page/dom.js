// Elements from data, never from markup: text is always set as text.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export const fromTemplate = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export function seconds(value) {
  if (typeof value !== "number") return "";
  if (value < 60) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

export const day = (iso) => new Date(iso).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });

export function showError(form, error) {
  const line = form.querySelector(".error");
  line.textContent = error ? error.message : "";
  line.hidden = !error;
}
