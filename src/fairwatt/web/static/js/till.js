// A scanner types like a keyboard: choosing the payer's code puts the cursor where its digits belong.
for (const choice of document.querySelectorAll("[data-focus]")) {
  const field = document.getElementById(choice.dataset.focus);
  choice.addEventListener("change", () => choice.checked && field?.focus());
}
