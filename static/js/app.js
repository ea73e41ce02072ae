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

  // Whoever types by voice, or brushes keys by chance, turns them off (WCAG 2.1.4). Kept in this browser.
  const shortcuts = document.getElementById("shortcuts");
  shortcuts.checked = localStorage.getItem("shortcuts") !== "off";
  shortcuts.addEventListener("change", () => localStorage.setItem("shortcuts", shortcuts.checked ? "on" : "off"));

  const typing = (element) => element.closest("input, textarea, select, [contenteditable], dialog[open]");

  // There the arrows move something else, or nothing: half-filled forms are not left by them.
  const ownArrows = (element) => element.closest("form, summary") || /auto|scroll/.test(getComputedStyle(element).overflow);

  // data-key="r" on a link or button: that key activates it. Arrow keys are named as in KeyboardEvent.key.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !shortcuts.checked || typing(event.target)) return;
    if (event.key.startsWith("Arrow") && ownArrows(event.target)) return;
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
})();
