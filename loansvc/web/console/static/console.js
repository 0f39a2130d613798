"use strict";
// All that needs a script: a preview as fields change, and printing. Every page works without it.

const form = document.querySelector("form[data-preview]");
if (form) {
  const shown = document.getElementById("preview");
  let latest = 0;
  form.addEventListener("change", async () => {
    const mine = ++latest;
    shown.setAttribute("aria-busy", "true");
    const answer = await fetch(form.dataset.preview, {method: "POST", body: new URLSearchParams(new FormData(form))});
    const html = await answer.text();
    if (mine !== latest) return; // a later change is on its way
    if (answer.redirected) return location.reload(); // nobody is signed in any more
    shown.innerHTML = new DOMParser().parseFromString(html, "text/html").querySelector("[data-previewed]")?.outerHTML ?? "";
    shown.removeAttribute("aria-busy");
    markFields();
  });
  markFields();
}

// Put what is wrong with a field beside it, as the preview lists it.
function markFields() {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
  for (const flaw of form.querySelectorAll(".flaw")) flaw.remove();
  for (const told of document.querySelectorAll("#preview [data-for]")) {
    const field = form.elements[told.dataset.for];
    if (!field?.insertAdjacentElement) continue;
    const flaw = document.createElement("span");
    flaw.className = "flaw";
    flaw.id = `flaw-${field.id}`;
    flaw.textContent = told.dataset.says;
    field.insertAdjacentElement("afterend", flaw);
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", flaw.id);
  }
}

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
