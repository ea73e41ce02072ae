// Keys, theme, help, focus, and what to say when a request fails, for every page. Pages work without it.
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
  const kept = (act) => { try { return act(localStorage); } catch { return null; } }; // a browser may forbid keeping anything
  shortcuts.checked = kept((store) => store.getItem("shortcuts")) !== "off";
  shortcuts.addEventListener("change", () => kept((store) => store.setItem("shortcuts", shortcuts.checked ? "on" : "off")));

  const typing = (element) => element.closest("input, textarea, select, [contenteditable], dialog[open]");

  // There the arrows move something else, or nothing: half-filled forms are not left by them.
  const ownArrows = (element) => element.closest("form, summary") || /auto|scroll/.test(getComputedStyle(element).overflow);

  // data-key="r" on a link or button: that key activates it. Arrow keys are named as in KeyboardEvent.key.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !shortcuts.checked || typing(event.target)) return;
    if (event.key.startsWith("Arrow") && ownArrows(event.target)) return;
    if (event.key === "?") { event.preventDefault(); help.showModal(); return; }
    if (event.key === "/") { event.preventDefault(); const q = document.getElementById("search-q") ?? document.getElementById("q"); q.focus(); q.select(); return; }
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

  // Neurons ticked to be compared. Without this the page that is led to says the same.
  const [FEWEST, MOST] = [2, 6];

  function ticked(form) {
    const chosen = [...form.elements].filter((element) => element.checked).length;
    const wrong = chosen < FEWEST ? "tick another one" : chosen > MOST ? "six are the most, leave some out" : "";
    const words = chosen ? `${chosen} ticked${wrong && `: ${wrong}`}` : "Tick two to six neurons to see them side by side.";
    const place = form.querySelector("[role=status]");
    if (place.textContent !== words) place.textContent = words;
    return { place, wrong };
  }
  // Ticks outlast a part of the page that is put in anew, and a way back to it.
  for (const happened of ["htmx:after:swap", "pageshow"]) addEventListener(happened, () => {
    const form = document.getElementById("compare-ticked");
    if (form) ticked(form);
  });
  document.addEventListener("change", (event) => {
    if (event.target.form?.id !== "compare-ticked") return;
    const { place, wrong } = ticked(event.target.form);
    if (!wrong) place.classList.remove("wrong");
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "compare-ticked") return;
    const { place, wrong } = ticked(event.target);
    place.classList.toggle("wrong", Boolean(wrong));
    if (wrong) event.preventDefault();
  });

  // Where the focused element itself has gone (Cancel, when its job has ended), the section that it stood in has the focus.
  let around = [];
  document.addEventListener("htmx:before:swap", () => {
    around = [];
    for (let element = document.activeElement; element; element = element.parentElement) if (element.matches("section, main")) around.push(element);
  });
  document.addEventListener("htmx:after:swap", () => {
    if (document.activeElement !== document.body) return;
    const place = around.find((element) => element.isConnected);
    if (!place) return;
    if (place.tabIndex < 0) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  });

  // A request that fails changes nothing; one sentence where its answer would have been says so. A price alone is taken
  // away: it was that of another choice.
  const NO_ANSWER = "The server did not answer; nothing was changed. Try again.";
  const UNSURE = "The server did not answer. Look at the jobs page whether it has begun; if not, try again.";
  const NOT_FOLLOWED = "The server did not answer, so this is not followed: reload the page to see how it is.";
  const BROKEN_OFF = "The connection was lost, so this may be out of date. It is being tried again.";

  const notice = (place) => place.querySelector(":scope > .notice");
  const follows = (element) => element.hasAttribute("hx-sse:connect");

  function say(place, words, seen) {
    if (notice(place)?.textContent === words) return;
    notice(place)?.remove();
    const said = document.createElement("p");
    said.className = "state failed notice";
    said.setAttribute("role", "alert");
    said.textContent = words;
    for (const price of place.querySelectorAll(":scope > .price")) price.remove();
    place.prepend(said);
    if (seen) said.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("htmx:before:request", (event) => notice(event.detail.ctx.target)?.remove());
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.response.status < 400 || ctx.hx.redirect) return;
    event.preventDefault(); // neither put into the page nor into the address
    const words = new DOMParser().parseFromString(ctx.text, "text/html").querySelector("[role=alert]")?.textContent.trim();
    say(ctx.target, words || `The server answered with error ${ctx.response.status}; nothing was changed. Try again.`, ctx.sourceEvent?.isTrusted);
  });
  document.addEventListener("htmx:error", (event) => {
    const { ctx } = event.detail;
    if (!ctx?.target || ctx.text !== undefined) return; // it was answered
    const words = ctx.request.method === "POST" ? UNSURE : follows(ctx.sourceElement) ? NOT_FOLLOWED : NO_ANSWER;
    say(ctx.target, words, ctx.sourceEvent?.isTrusted);
  });
  document.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) location.reload(); // the login has expired
    else say(event.target, BROKEN_OFF);
  });
  document.addEventListener("htmx:sse:after:connection", (event) => notice(event.target)?.remove());
})();
