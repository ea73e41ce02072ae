// Values of tokens by pointer, touch and keyboard. The n-th <bdi> of an excerpt has the n-th value.
"use strict";

(() => {
  const tip = document.getElementById("tip");
  const said = document.getElementById("said");
  let at = null; // the token whose value is shown
  let hiding = 0;

  function half(bits) {
    const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  function single(bits) {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, bits);
    return view.getFloat32(0);
  }

  function valueAt(excerpt, index) {
    const width = "w" in excerpt.dataset ? 8 : 4;
    const bits = parseInt(excerpt.dataset.v.slice(index * width, (index + 1) * width), 16);
    return width === 8 ? single(bits) : half(bits);
  }

  // Packed bits, the first token in the highest bit.
  const gateAt = (excerpt, index) => excerpt.dataset.g && (parseInt(excerpt.dataset.g[index >> 2], 16) >> (3 - (index & 3))) & 1;

  const tokens = (excerpt) => excerpt.querySelectorAll(":scope > bdi");
  const signed = (value) => (value < 0 ? "−" : value > 0 ? "+" : "") + Math.abs(value).toFixed(Math.abs(value) >= 0.01 || value === 0 ? 2 : 4);

  function text(tag, content) {
    const element = document.createElement(tag);
    element.textContent = content;
    return element;
  }

  function show(token, aloud) {
    clearTimeout(hiding);
    if (token === at) return;
    at?.classList.remove("at");
    at = token;
    const excerpt = token.parentElement;
    const place = [...tokens(excerpt)].indexOf(token);
    const index = place + Number(excerpt.dataset.o);
    const value = signed(valueAt(excerpt, index));
    const source = excerpt.parentElement.querySelector(".src");
    const name = source?.querySelector("a")?.textContent ?? "";
    const details = source?.querySelector("small")?.textContent ?? "";
    const gate = gateAt(excerpt, index);
    const lines = [text("b", value), text("code", token.textContent || "(empty)")];
    if (gate !== undefined && gate !== "") lines.push(text("span", `gate ${gate ? "+" : "−"}`));
    lines.push(text("span", `token ${index + 1} of the excerpt`), text("span", [name, details].filter(Boolean).join(", ")));
    tip.replaceChildren(...lines);
    tip.hidden = false;
    const box = token.getClientRects()[0] ?? token.getBoundingClientRect();
    const left = Math.min(box.left, innerWidth - tip.offsetWidth - 10);
    const above = box.top - tip.offsetHeight - 6;
    const y = above > 4 ? above : box.bottom + 6;
    // Through the object model: the content security policy forbids style attributes, not this.
    tip.style.left = `${Math.max(8, left) + scrollX}px`;
    tip.style.top = `${y + scrollY}px`;
    if (aloud) {
      token.classList.add("at");
      token.scrollIntoView({ block: "nearest" });
      said.textContent = `${token.textContent.trim()} ${value}`;
    }
  }

  function hide() {
    clearTimeout(hiding);
    at?.classList.remove("at");
    at = null;
    tip.hidden = true;
  }

  const later = () => { clearTimeout(hiding); hiding = setTimeout(hide, 220); };
  const tokenOf = (target) => (target instanceof Element ? target.closest(".txt > bdi") : null);

  document.addEventListener("pointerover", (event) => {
    const token = tokenOf(event.target);
    if (token) show(token, false);
    else if (tip.contains(event.target)) clearTimeout(hiding);
    else if (!tip.hidden && !document.activeElement?.matches(".txt")) later();
  });

  document.addEventListener("focusin", (event) => {
    if (!event.target.matches(".txt")) { if (!tip.hidden) hide(); return; }
    if (event.target.matches(":focus-visible")) show(event.target.querySelector(".pk") ?? tokens(event.target)[0], true);
  });
  document.addEventListener("focusout", (event) => { if (event.target.matches?.(".txt")) hide(); });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !tip.hidden) { hide(); return; }
    const excerpt = event.target;
    if (!excerpt.matches?.(".txt") || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...tokens(excerpt)];
    const now = at && at.parentElement === excerpt ? all.indexOf(at) : all.findIndex((t) => t.classList.contains("pk"));
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: all.findIndex((t) => t.classList.contains("pk")), End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const token = all[Math.min(all.length - 1, Math.max(0, to))];
    if (token === at) token.classList.add("at");
    show(token, true);
  }, true);

  // "score again" chooses its explanation in the form, without a new page.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-score]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const form = document.getElementById("score-again");
    event.preventDefault();
    form.elements.explanation.value = link.dataset.score;
    form.scrollIntoView({ block: "center" });
    form.elements.simulator.focus();
  });
})();
