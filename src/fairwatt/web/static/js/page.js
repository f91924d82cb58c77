// Small manners of the pages: the amount on the pay button, the unit panel, and saying when the link is lost.
"use strict";
(() => {
  if (navigator.clipboard) {
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = button.dataset.done;
      });
    }
  }
  const form = document.querySelector("form.top-up");
  if (form) {
    const label = form.querySelector("[data-pay-text]");
    const free = form.querySelector("#amount");
    const typed = () => free.value.trim() && free.previousElementSibling.textContent + free.value.trim();
    const show = () => {
      const chosen = form.querySelector("input[name=choice]:checked");
      const amount = chosen && (chosen.value === "other" ? typed() : chosen.dataset.text);
      label.textContent = [form.dataset.pay, amount].filter(Boolean).join(" ");
    };
    form.addEventListener("change", show);
    free.addEventListener("input", () => {
      form.querySelector("input[value=other]").checked = true;
      show();
    });
    form.querySelector("input[value=other]").addEventListener("click", () => free.focus());
    form.addEventListener("submit", () => { form.querySelector("button[type=submit]").disabled = true; });
    addEventListener("pageshow", () => { form.querySelector("button[type=submit]").disabled = false; });
    show();
  }

  // Inside WeChat the app itself shows the sheet; what was paid, the payment platform tells us, not this page.
  document.body.addEventListener("click", (event) => {
    if (!event.target.closest("[data-wechat-sheet]") || !window.WeixinJSBridge) return;
    const sheet = JSON.parse(document.getElementById("wechat-sheet").textContent);
    window.WeixinJSBridge.invoke("getBrandWCPayRequest", sheet, () => {});
  });

  // A computation that takes more than a second says so, and for how long it has been at it.
  const slowForm = document.querySelector("form[data-slow]");
  if (slowForm) {
    const waits = slowForm.querySelector(".waits");
    const seconds = waits.querySelector("[data-seconds]");
    let timer = 0;
    slowForm.addEventListener("submit", () => {
      const begun = Date.now();
      timer = setInterval(() => {
        waits.hidden = false;
        seconds.textContent = `${Math.round((Date.now() - begun) / 1000)} s`;
      }, 1000);
    });
    addEventListener("pageshow", () => { clearInterval(timer); waits.hidden = true; });
  }

  document.body.addEventListener("click", (event) => {
    const closer = event.target.closest("[data-close]");
    if (!closer) return;
    document.querySelector(closer.dataset.close).replaceChildren();
    document.querySelector(closer.dataset.back)?.focus();
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id !== "unit") return;
    const panel = event.target;
    panel.querySelector("[data-focus]")?.focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest" });
  });
  document.body.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelector("#unit [data-close]")?.click();
  });

  // The wall is a grid: arrows move between homes, Tab leaves it.
  document.body.addEventListener("keydown", (event) => {
    const cell = event.target.closest?.(".wall td");
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!cell || !step) return;
    const rows = [...cell.closest("table").rows];
    const row = rows[rows.indexOf(cell.parentElement) + step[0]];
    const next = row?.cells[cell.cellIndex + step[1]]?.querySelector("a");
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });

  // A page without scripts shows its tables; with scripts they are the charts' twins, closed until asked for.
  for (const twin of document.querySelectorAll("details[data-twin]")) {
    twin.open = false;
    twin.removeAttribute("data-twin");
  }

  // A live drawing can be held still; what comes meanwhile is left out until it goes on.
  const hold = document.querySelector("[data-hold]");
  if (hold) {
    hold.hidden = false;
    hold.addEventListener("click", () => {
      const held = hold.getAttribute("aria-pressed") !== "true";
      hold.setAttribute("aria-pressed", String(held));
      hold.textContent = held ? hold.dataset.on : hold.dataset.hold;
    });
    document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
      if (hold.getAttribute("aria-pressed") === "true") event.preventDefault();
    });
  }

  const slow = document.getElementById("slow");
  if (slow) {
    const waits = () => !document.querySelector("#steps .done, #steps .why, #next .why");
    setTimeout(() => { slow.hidden = !waits(); }, slow.dataset.slowS * 1000);
    document.body.addEventListener("htmx:sseMessage", () => { if (!waits()) slow.remove(); });
  }

  const told = (away) => {
    for (const line of document.querySelectorAll("[data-live]")) {
      line.textContent = away ? line.dataset.away : line.dataset.live;
      line.parentElement.classList.toggle("away", away);
    }
  };
  document.body.addEventListener("htmx:sseError", () => told(true));
  document.body.addEventListener("htmx:sseOpen", () => told(false));
})();
