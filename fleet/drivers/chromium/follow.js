// Goes to addresses of the app as its links would, without loading it anew: the page stays the
// one document. Answers what each shows, {text, moved}; `moved` is false where nothing changed.
async (addresses) => {
  const proper = () => (document.querySelector("main, [role=main]") ?? document.body).innerText.trim().slice(0, 1000);
  const settled = () =>
    new Promise((resolve) => {
      let timer;
      let moved = false;
      const done = () => (observer.disconnect(), resolve(moved));
      const within = (ms) => (clearTimeout(timer), (timer = setTimeout(done, ms)));
      const observer = new MutationObserver(() => ((moved = true), within(25)));
      observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
      setTimeout(done, 600); // a page that never rests
      within(150);
    });
  const seen = [];
  for (const address of addresses) {
    const waiting = settled();
    history.pushState(null, "", address);
    window.dispatchEvent(new PopStateEvent("popstate", { state: history.state }));
    const moved = await waiting;
    seen.push({ text: proper().replaceAll(address, ""), moved });
  }
  return seen;
}
