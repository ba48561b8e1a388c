// What a person would see of the page that is open: evaluated once, after it went quiet.
() => {
  const REPLACED = new Set(["IMG", "SVG", "CANVAS", "VIDEO", "INPUT", "TEXTAREA", "SELECT", "BUTTON", "IFRAME", "HR", "PROGRESS", "METER"]);
  const transparent = (color) => color === "transparent" || /^rgba\(.*, 0\)$/.test(color);
  const paints = (element) => {
    const box = element.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) return false;
    if (element.checkVisibility && !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    if (REPLACED.has(element.tagName.toUpperCase())) return true;
    for (const child of element.childNodes) {
      if (child.nodeType === Node.TEXT_NODE && child.textContent.trim() !== "") return true;
    }
    const style = getComputedStyle(element);
    return style.backgroundImage !== "none" || !transparent(style.backgroundColor) || parseFloat(style.borderTopWidth) > 0;
  };
  const limit = 2000;
  const elements = document.body ? Array.from(document.body.querySelectorAll("*")).slice(0, limit) : [];
  const root = document.getElementById("root");
  // The page proper, where the app marks it: a menu around nothing is still a blank page.
  const main = document.querySelector("main, [role=main]");
  const overlay = document.querySelector("vite-error-overlay");
  const boundary = document.querySelector("[data-error-boundary], .error-state");
  return {
    title: document.title,
    text: document.body ? document.body.innerText.slice(0, 4000) : "",
    visible: elements.filter(paints).length,
    rootEmpty: root !== null && root.childElementCount === 0 && root.textContent.trim() === "",
    mainEmpty: main !== null && !Array.from(main.querySelectorAll("*")).some(paints) && main.textContent.trim() === "",
    overlay: overlay && overlay.shadowRoot ? overlay.shadowRoot.textContent.trim().slice(0, 2000) : "",
    boundary: boundary ? (boundary.innerText || "error").slice(0, 1000) : "",
  };
}
