// Light, dark, or as the system has it.

const THEMES = ["", "light", "dark"];

// Kept where the browser lets a file keep anything.
function storedTheme(set) {
  try {
    if (set !== undefined) localStorage.setItem("seatrial-theme", set);
    return localStorage.getItem("seatrial-theme") || "";
  } catch {
    return "";
  }
}

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme ? `Theme: ${theme}` : "Theme";
}

function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "") + 1) % THEMES.length];
  storedTheme(theme);
  showTheme(theme);
}
