// Uses every form of the page once: fills in what is required and visible with plausible values,
// presses its button, and waits for any reaction. Answers [{label, reaction}].
async (patience) => {
  const MAX_FORMS = 3;
  const DESTRUCTIVE = /\b(delete|remove|clear|reset|cancel|back|close|log ?out|sign ?out)\b/i;
  const day = (offset) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
  const visible = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getBoundingClientRect().width > 0;
  const words = (button) => (button.innerText || button.value || button.getAttribute("aria-label") || "").trim().slice(0, 60);

  const number = (field) => {
    const [min, max] = [parseFloat(field.min), parseFloat(field.max)];
    const step = parseFloat(field.step) || 1;
    let value = Number.isNaN(min) ? 1 : min;
    if (value < 1 && (Number.isNaN(max) || max >= 1)) value += Math.ceil((1 - value) / step) * step;
    return String(Math.round(value * 1e6) / 1e6);
  };
  const text = (field) => {
    const least = Math.max(field.minLength ?? 0, 0);
    const most = field.maxLength > 0 ? field.maxLength : 200;
    return "Example 1".padEnd(least, "x").slice(0, most);
  };
  const plausible = (field) => {
    switch (field.type) {
      case "email": return "someone@example.com";
      case "url": return "https://example.com/";
      case "tel": return "+44 20 7946 0000";
      case "number": case "range": return number(field);
      case "date": return field.min || field.max || day(1);
      case "datetime-local": return `${(field.min || field.max || day(1)).slice(0, 10)}T12:00`;
      case "time": return "12:00";
      case "month": return day(1).slice(0, 7);
      case "week": return "2030-W10";
      case "color": return "#336699";
      case "password": return "Example-1-example";
      default: return text(field);
    }
  };
  // React listens to the prototype's setter and to the event, not to the property.
  const put = (field, property, value) => {
    const kind = { SELECT: HTMLSelectElement, TEXTAREA: HTMLTextAreaElement }[field.tagName] ?? HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, property).set.call(field, value);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const fill = (field) => {
    if (field.disabled || field.readOnly || !visible(field)) return;
    if (field.type === "checkbox") return field.required && !field.checked ? field.click() : undefined;
    if (field.type === "radio") {
      const group = field.form.elements[field.name];
      const chosen = group instanceof RadioNodeList ? group.value !== "" : field.checked;
      return chosen ? undefined : field.click();
    }
    if (field.tagName === "SELECT") {
      const option = Array.from(field.options).find((o) => o.value !== "" && !o.disabled);
      return field.value === "" && option ? put(field, "value", option.value) : undefined;
    }
    if (["hidden", "file", "submit", "button", "reset", "image"].includes(field.type)) return;
    if (field.value === "" || !field.validity.valid) put(field, "value", plausible(field));
  };
  const buttonOf = (form) => {
    const buttons = Array.from(form.elements).filter((e) => (e.tagName === "BUTTON" || ["submit", "image"].includes(e.type)) && visible(e));
    const sends = buttons.filter((b) => b.type === "submit" || b.type === "image");
    return (sends.length > 0 ? sends : buttons).find((b) => !DESTRUCTIVE.test(words(b)));
  };

  /** The first thing that happens, of whatever kind; "nothing" after `ms`. */
  const reactionTo = (form, act, ms) =>
    new Promise((resolve) => {
      const address = location.href;
      const undo = [];
      const finish = (reaction) => {
        for (const step of undo) step();
        resolve(reaction);
      };
      const patch = (owner, name, reaction) => {
        const original = owner[name];
        owner[name] = function (...given) {
          const result = original.apply(this, given);
          finish(reaction);
          return result;
        };
        undo.push(() => (owner[name] = original));
      };
      const listen = (target, event, reaction) => {
        const heard = () => finish(reaction);
        target.addEventListener(event, heard, true);
        undo.push(() => target.removeEventListener(event, heard, true));
      };
      // What is typed into a field is no reaction; React mirrors it in attributes.
      const typed = (node) => (node.nodeType === Node.TEXT_NODE ? node.parentElement : node)?.closest?.("input, textarea, select, option");
      const observer = new MutationObserver((changes) => {
        if (changes.some((c) => !typed(c.target))) finish(location.href === address ? "change" : "navigation");
      });
      undo.push(() => observer.disconnect());
      patch(window, "fetch", "request");
      patch(XMLHttpRequest.prototype, "send", "request");
      patch(navigator, "sendBeacon", "request");
      patch(Storage.prototype, "setItem", "storage");
      patch(URL, "createObjectURL", "change");
      patch(window, "open", "navigation");
      patch(window, "print", "dialog");
      for (const name of ["alert", "confirm", "prompt"]) {
        const original = window[name];
        window[name] = () => (finish("dialog"), name === "confirm");
        undo.push(() => (window[name] = original));
      }
      listen(form, "invalid", "validation");
      listen(window, "beforeunload", "navigation");
      listen(window, "pagehide", "navigation");
      listen(window, "error", "error");
      listen(window, "unhandledrejection", "error");
      const timer = setTimeout(() => finish(location.href === address ? "nothing" : "navigation"), ms);
      undo.push(() => clearTimeout(timer));
      observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
      act();
    });

  const reports = [];
  const address = location.href;
  for (const form of Array.from(document.forms).slice(0, MAX_FORMS)) {
    if (!form.isConnected || !visible(form) || location.href !== address) continue;
    if (form.querySelector("input[type=file]")) continue; // a chooser is no change of the page
    for (const field of Array.from(form.elements)) fill(field);
    await new Promise((resolve) => setTimeout(resolve, 0)); // the page answers to what was typed
    const button = buttonOf(form);
    if (button === undefined) continue;
    const label = words(button);
    if (button.disabled) {
      reports.push({ label, reaction: "untried" });
      continue;
    }
    reports.push({ label, reaction: await reactionTo(form, () => button.click(), patience) });
  }
  return reports;
}
