// Keys, theme and help for every page. Pages work without it.
"use strict";

(() => {
  const root = document.documentElement;
  const help = document.getElementById("help");

  const systemTheme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const theme = () => root.dataset.theme || systemTheme();

  function setTheme(name) {
    root.dataset.theme = name;
    const meta = document.querySelector("meta[name=color-scheme]");
    if (meta) meta.content = name;
    // The same cookie that POST /theme sets; choosing what the system says anyway forgets the choice.
    const forget = name === systemTheme();
    if (forget) delete root.dataset.theme;
    document.cookie = `theme=${forget ? "" : name}; path=/; max-age=${forget ? 0 : 31536000}; samesite=lax`;
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form.theme")) return;
    event.preventDefault();
    setTheme(event.submitter.value);
    for (const button of event.target.querySelectorAll("button")) if (button.checkVisibility()) button.focus();
  });

  document.getElementById("help-open")?.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    help.showModal();
  });
  help.addEventListener("click", (event) => { if (event.target === help) help.close(); });

  const typing = (element) => element.closest("input, textarea, select, [contenteditable], dialog[open]");

  // data-key="r" on a link or button: that key activates it. Arrow keys are named as in KeyboardEvent.key.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    if (event.key === "?") { event.preventDefault(); help.showModal(); return; }
    if (event.key === "/") { event.preventDefault(); const q = document.getElementById("q"); q.focus(); q.select(); return; }
    if (event.key === "t") { setTheme(theme() === "dark" ? "light" : "dark"); return; }
    const name = (event.shiftKey ? "Shift+" : "") + event.key;
    const target = document.querySelector(`[data-key="${CSS.escape(name)}"]`);
    if (!target) return;
    event.preventDefault();
    if (target.matches("input, select, textarea, summary")) { target.scrollIntoView({ block: "center" }); target.focus(); }
    else target.click();
  });

  // Charts: what a mark says in words is shown on hover and on focus. Tokens have a tip of their own: see neuron.js.
  const tip = document.getElementById("tip");
  let mark = null; // whose words are shown

  const markOf = (target) => (target instanceof Element ? target.closest("svg.chart a")?.querySelector("[aria-label]") : null) ?? null;

  function point(at) {
    if (at === mark) return;
    mark = at;
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.getAttribute("aria-label");
    const box = mark.getBoundingClientRect();
    const above = box.top - tip.offsetHeight - 6;
    // Through the object model: the content security policy forbids style attributes, not this.
    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 10)) + scrollX}px`;
    tip.style.top = `${(above > 4 ? above : box.bottom + 6) + scrollY}px`;
  }

  document.addEventListener("pointerover", (event) => point(markOf(event.target) ?? markOf(document.activeElement)));
  document.addEventListener("focusin", (event) => point(markOf(event.target)));
  document.addEventListener("focusout", () => point(null));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") point(null); });
})();
