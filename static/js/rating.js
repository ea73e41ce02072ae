// A rater's page: every answer is saved as it is given, and tried again until it is. The page works without it, by its buttons.
"use strict";

(() => {
  const PREFIX = "rating:";
  const LONGEST_WAIT = 15_000, NO_ANSWER = 30_000, TYPING = 1_500; // ms
  const kept = (act) => { try { return act(); } catch { return null; } }; // a browser may forbid keeping anything

  // A second click on what begins or leaves a study would do it twice.
  document.addEventListener("submit", (event) => {
    const { dataset } = event.target;
    if (!("once" in dataset)) return;
    if (dataset.sent) { event.preventDefault(); return; }
    dataset.sent = "yes";
    if ("begins" in dataset) kept(() => { for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key); });
  });
  addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-once]")) delete form.dataset.sent; });

  const form = document.getElementById("questions");
  if (!form) return;
  const questions = [...form.querySelectorAll("[data-q]")];
  const button = form.querySelector("[name=go][value=next], .bar-below a");
  const fields = (name) => [...form.querySelectorAll(`[name="${CSS.escape(name)}"]`)];

  // Saving. An answer is pending from the click until the server has said that it has it.
  if ("saves" in form.dataset) {
    const attempt = form.elements.try.value;
    const place = PREFIX + location.pathname + ":" + attempt;
    const status = document.getElementById("saved");
    const lacking = document.getElementById("lacking");
    const pending = new Map(); // name of a question -> what is to be sent of it, as [field, value]
    let busy = false, halted = false, going = "", failures = 0, timer = 0, oneByOne = false;

    const say = (words, bad = false) => {
      if (status.textContent !== words) status.textContent = words;
      status.classList.toggle("bad", bad);
    };
    const stash = () => kept(() => pending.size ? sessionStorage.setItem(place, JSON.stringify([...pending])) : sessionStorage.removeItem(place));

    function entries(name) {
      if (name.startsWith("mark-")) {
        const on = fields(name).filter((box) => box.checked);
        return on.length ? on.map((box) => [name, box.value]) : [[name.replace("mark", "none"), "yes"]];
      }
      const found = fields(name);
      return [[name, (found.length > 1 || found[0].type === "radio" ? found.find((radio) => radio.checked) : found[0])?.value ?? ""]];
    }

    function note(name, wait = 0) {
      pending.set(name, entries(name));
      stash();
      say("Saving …");
      clearTimeout(timer);
      if (wait) timer = setTimeout(pump, wait);
      else pump();
    }

    function again(words) {
      failures += 1;
      say(words, true);
      clearTimeout(timer);
      timer = setTimeout(pump, Math.min(LONGEST_WAIT, 500 * 2 ** failures));
    }

    function halt(words) {
      halted = true;
      going = "";
      say("");
      const line = document.createElement("p"), link = document.createElement("a");
      line.className = "state failed";
      link.href = location.pathname;
      link.textContent = "Look how it stands";
      line.append(`Not saved: ${words} `, link);
      lacking.replaceChildren(line);
    }

    function refuse(name, words) {
      going = "";
      pending.delete(name);
      stash();
      const line = document.createElement("p");
      line.className = "state failed";
      line.textContent = `Not saved: ${words}`;
      lacking.replaceChildren(line);
      say("Not saved", true);
    }

    function lacks(missing) {
      const line = document.createElement("p");
      line.className = "state";
      line.textContent = `Still to be answered: ${missing.join("; ")}.`;
      lacking.replaceChildren(line);
      for (const question of questions) question.classList.toggle("open", !answered(question));
      const first = questions.find((question) => !answered(question));
      if (first) enter(first);
    }

    // One request at a time, so that no older answer comes after a newer one.
    async function pump() {
      if (busy || halted || (!pending.size && !going)) return;
      clearTimeout(timer);
      busy = true;
      const sent = [...pending].slice(0, oneByOne ? 1 : undefined);
      const go = sent.length ? "" : going;
      const body = new URLSearchParams([["try", attempt], ...sent.flatMap(([, values]) => values), ...(go ? [["go", go]] : [])]);
      let answer = null, said = null;
      try {
        answer = await fetch(form.action, { method: "POST", body, headers: { accept: "application/json" }, signal: AbortSignal.timeout(NO_ANSWER) });
        said = await answer.json();
      } catch { /* no connection, or no answer in time */ }
      busy = false;
      if (!answer || answer.status >= 500 || answer.status === 429 || said === null) {
        again(answer ? "Not saved yet: the server cannot be reached. Trying again …" : "Not saved yet: no connection. Trying again …");
      } else if (answer.status === 422 && sent.length > 1) {
        oneByOne = true; // one of them is no answer; the others are
        pump();
      } else if (answer.status === 422 && sent.length) {
        refuse(sent[0][0], said.error.message);
        pump();
      } else if (!answer.ok) {
        halt(said.error?.message ?? "the server refused it.");
      } else {
        failures = 0;
        for (const [name, values] of sent) if (pending.get(name) === values) pending.delete(name);
        stash();
        if (!pending.size) oneByOne = false;
        if (go) {
          going = "";
          if (said.next) { location.assign(said.next); return; }
          say("Saved");
          lacks(said.missing);
        } else if (pending.size || going) pump();
        else say("Saved");
      }
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (halted) { location.assign(location.pathname); return; }
      lacking.replaceChildren();
      going = event.submitter?.value || "next";
      pump();
    });

    form.addEventListener("change", (event) => {
      const { name, type, value } = event.target;
      if (!name || halted) return;
      event.target.closest("[data-q]")?.classList.remove("open");
      const [kind, at] = name.split("-");
      if (kind === "mark" || kind === "none") {
        const none = fields(`none-${at}`)[0], marks = fields(`mark-${at}`);
        if (kind === "none") for (const mark of marks) mark.checked = false;
        none.checked = !marks.some((mark) => mark.checked);
        note(`mark-${at}`);
      } else {
        if (type === "select-one" && value) event.target.querySelector("option[value='']")?.remove();
        note(name);
      }
    });
    form.addEventListener("input", (event) => { if (event.target.matches("textarea") && !halted) note(event.target.name, TYPING); });

    addEventListener("online", pump);
    document.addEventListener("visibilitychange", pump);
    addEventListener("beforeunload", (event) => { if (pending.size && !halted) event.preventDefault(); });
    // Where the browser kept the page, what is stored may be newer.
    addEventListener("pageshow", (event) => { if (event.persisted && !pending.size) location.reload(); });

    // What an earlier visit of this page in this tab could not send any more.
    for (const [name, values] of kept(() => JSON.parse(sessionStorage.getItem(place))) ?? []) {
      const boxes = name.startsWith("mark-") ? [...fields(name), ...fields(name.replace("mark", "none"))] : fields(name);
      if (!boxes.length) continue;
      for (const box of boxes) {
        if (box.type === "radio" || box.type === "checkbox") box.checked = values.some(([field, value]) => field === box.name && value === box.value);
        else box.value = values[0][1];
      }
      note(name);
    }
  }

  // Keys. They can be turned off: who types by voice, or brushes a key by chance, would answer unawares (WCAG 2.1.4).
  const shortcuts = document.getElementById("shortcuts");
  shortcuts.closest("p").hidden = !questions.some((question) => question.querySelector("[type=radio]"));
  shortcuts.checked = kept(() => localStorage.getItem("shortcuts")) !== "off";
  shortcuts.addEventListener("change", () => kept(() => localStorage.setItem("shortcuts", shortcuts.checked ? "on" : "off")));

  const radios = (question) => [...question.querySelectorAll("input[type=radio]")];
  function answered(question) {
    return [...question.querySelectorAll("input, select, textarea")].some((field) => (/radio|checkbox/.test(field.type) ? field.checked : field.value.trim()));
  }

  function enter(question) {
    const target = question ? question.querySelector("input:checked") ?? question.querySelector("input, select, textarea") : button;
    if (!target) return;
    target.focus({ preventScroll: true });
    (question ?? button).scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented || !shortcuts.checked) return;
    if (event.target.closest("textarea, select, .txt, summary")) return;
    const at = questions.indexOf(event.target.closest("[data-q]"));
    if (/^[1-9]$/.test(event.key)) {
      const now = at >= 0 ? at : questions.findIndex((question) => radios(question).length && !answered(question));
      const radio = now >= 0 ? radios(questions[now])[event.key - 1] : null;
      if (!radio) return;
      event.preventDefault();
      radio.click();
      enter(questions[now + 1]);
      return;
    }
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const from = event.target === button ? questions.length : at;
    if (step && from >= 0) {
      event.preventDefault();
      if (from + step >= 0) enter(questions[from + step]);
      return;
    }
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (side && event.target.matches("[type=checkbox]") && at >= 0) {
      const boxes = [...questions[at].querySelectorAll("[type=checkbox]")];
      event.preventDefault();
      boxes[boxes.indexOf(event.target) + side]?.focus();
    }
  });
})();
