// Runs in the admin's head, before Unfold reads its own theme: portal and admin have one, and the portal's cookie keeps it.
(() => {
  const KEY = "adminTheme";
  const given = document.cookie.match(/(?:^|; )theme=(light|dark|system)(?:;|$)/)?.[1];
  if (given) localStorage.setItem(KEY, JSON.stringify(given === "system" ? "auto" : given));
  const remember = () => {
    const chosen = JSON.parse(localStorage.getItem(KEY) ?? '"auto"');
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${chosen === "auto" ? "system" : chosen}; path=/; max-age=31536000; samesite=lax${secure}`;
  };
  // Unfold's switch and its key write to its storage alone, and tell nobody.
  for (const event of ["click", "keydown"]) window.addEventListener(event, () => setTimeout(remember));
})();
