// Runs in the head, before anything is drawn: the server wrote the chosen theme, only "system" is left to find out.
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const choice = root.dataset.theme || "system";
    root.dataset.bsTheme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
  };
  apply();
  dark.addEventListener("change", () => {
    apply();
    document.dispatchEvent(new CustomEvent("theme:change"));
  });
})();
