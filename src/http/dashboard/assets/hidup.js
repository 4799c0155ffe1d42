// Fetches the page again now and then and puts its live parts in place: numbers move without reloading. Everything
// works without it. What came is parsed as a document and moved as nodes; no text ever becomes markup here.
"use strict";
(() => {
  const every = 20000;
  const parts = () => document.querySelectorAll("[data-hidup]");
  if (parts().length === 0) return;
  const told = document.querySelector("[data-diperbarui]");
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error", cache: "no-store" });
      if (!answer.ok) throw new Error("status");
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of parts()) {
        const next = fresh.getElementById(old.id);
        // Whoever reads or types there is not disturbed.
        if (next && !old.contains(document.activeElement)) old.replaceWith(document.importNode(next, true));
      }
      if (told) { told.textContent = told.dataset.diperbarui + " " + new Date().toLocaleTimeString(); told.hidden = false; }
    } catch {
      if (told) { told.textContent = told.dataset.putus; told.hidden = false; }
    }
  };
  setInterval(refresh, every);
})();
