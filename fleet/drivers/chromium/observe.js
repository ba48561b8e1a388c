// What a person would see of the page that is open: evaluated once, after it went quiet. A page
// that looks unfinished is looked at again until it changes for the better, or `patience` ms pass.
async (patience) => {
  const REPLACED = new Set(["IMG", "SVG", "CANVAS", "VIDEO", "INPUT", "TEXTAREA", "SELECT", "BUTTON", "IFRAME", "HR", "PROGRESS", "METER"]);
  const LANDMARKS = "header, nav, footer, aside, [role=banner], [role=navigation], [role=contentinfo]";
  const WAITING = /^(loading|please wait|one moment)[\s.…]*$/i;
  const transparent = (color) => color === "transparent" || /^rgba\(.*, 0\)$/.test(color);
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) return false;
    return !element.checkVisibility || element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const ownText = (element) => Array.from(element.childNodes).some((c) => c.nodeType === Node.TEXT_NODE && c.textContent.trim() !== "");
  const says = (element) => shown(element) && (REPLACED.has(element.tagName.toUpperCase()) || ownText(element));
  const paints = (element) => {
    if (!shown(element)) return false;
    if (REPLACED.has(element.tagName.toUpperCase()) || ownText(element)) return true;
    const style = getComputedStyle(element);
    return style.backgroundImage !== "none" || !transparent(style.backgroundColor) || parseFloat(style.borderTopWidth) > 0;
  };
  const limit = 2000;
  const within = (element) => Array.from(element.querySelectorAll("*")).slice(0, limit);

  const look = () => {
    const all = document.body ? within(document.body) : [];
    const root = document.getElementById("root");
    // The page proper: where the app marks it, else all that is no menu and no footer.
    const main = document.querySelector("main, [role=main]");
    const landmarks = document.querySelector(LANDMARKS) !== null;
    const proper = main ? within(main) : all.filter((e) => !e.closest(LANDMARKS) && !e.matches("a[href^='#']"));
    const overlay = document.querySelector("vite-error-overlay");
    const boundary = document.querySelector("[data-error-boundary], .error-state");
    const text = (main ?? document.body)?.innerText.trim() ?? "";
    const headings = proper.filter((e) => /^H[1-3]$/.test(e.tagName)).map((e) => e.innerText.trim());
    const rest = headings.reduce((left, heading) => left.replace(heading, ""), text).trim();
    const marked = proper.some((e) => WAITING.test(e.textContent.trim()) && shown(e) && e.matches("[role=status], [aria-busy=true], .loading, .spinner"));
    return {
      title: document.title,
      text: document.body ? document.body.innerText.slice(0, 4000) : "",
      mainText: text.slice(0, 1000),
      visible: all.filter(paints).length,
      rootEmpty: root !== null && root.childElementCount === 0 && root.textContent.trim() === "",
      mainEmpty: main !== null && !proper.some(paints) && main.textContent.trim() === "",
      shellOnly: main === null && landmarks && !proper.some(says) && !proper.some((e) => shown(e) && getComputedStyle(e).backgroundImage !== "none"),
      waiting: marked || WAITING.test(rest),
      overlay: overlay && overlay.shadowRoot ? overlay.shadowRoot.textContent.trim().slice(0, 2000) : "",
      boundary: boundary ? (boundary.innerText || "error").slice(0, 1000) : "",
      links: Array.from(document.querySelectorAll("a[href]"))
        .filter((a) => a.origin === location.origin && !a.hasAttribute("download") && a.target !== "_blank" && shown(a))
        .map((a) => ({ href: a.pathname + a.search, label: (a.innerText || a.getAttribute("aria-label") || "").trim().slice(0, 60), route: a.hash.length < 2 }))
        .filter((a) => a.route)
        .slice(0, 200),
      forms: document.forms.length,
    };
  };

  const unfinished = (seen) => seen.visible === 0 || seen.rootEmpty || seen.mainEmpty || seen.shellOnly || seen.waiting;
  const changed = (ms) =>
    new Promise((resolve) => {
      const observer = new MutationObserver(() => done());
      const timer = setTimeout(() => done(), ms);
      const done = () => (observer.disconnect(), clearTimeout(timer), resolve());
      observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    });
  const until = performance.now() + patience;
  let seen = look();
  while (unfinished(seen) && performance.now() < until) {
    await changed(until - performance.now());
    seen = look();
  }
  return seen;
}
