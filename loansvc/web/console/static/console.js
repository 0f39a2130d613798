"use strict";
// All that needs a script: a preview as fields change, and printing. Every page works without it.

const form = document.querySelector("form[data-preview]");
const shown = document.getElementById("preview");
let latest = 0; // of the previews that were asked for

async function preview() {
  const mine = ++latest;
  shown.setAttribute("aria-busy", "true");
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.dataset.preview, {method: "POST", body});
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== latest) return; // a later one is on its way
  if (answer.redirected) return location.reload(); // nobody is signed in any more
  const told = page.querySelector("[data-previewed]") ?? page.querySelector(".alert");
  shown.replaceChildren(...(told ? [told] : []));
  shown.removeAttribute("aria-busy");
  markFields();
}

// Put what is wrong with a field beside it, as the preview lists it.
function markFields() {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
  for (const flaw of form.querySelectorAll(".flaw")) flaw.remove();
  for (const told of shown.querySelectorAll("[data-for]")) {
    const field = form.elements[told.dataset.for];
    if (!(field instanceof Element)) continue; // a group of boxes, or nothing that the form asks for
    const flaw = document.createElement("span");
    flaw.className = "flaw";
    flaw.id = `flaw-${field.id}`;
    flaw.textContent = told.dataset.says;
    field.after(flaw);
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", flaw.id);
  }
}

if (form) {
  form.addEventListener("change", preview); // when a field is left, not with each key: each counts
  if (shown.querySelector("[data-previewed]")) markFields();
  else preview();
}

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
