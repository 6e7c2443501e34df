// JSON as a tree of text, with the places that evidence points at marked.

const MAX_NODES = 1500;
const MAX_STRING = 4000;
const MAX_KEY = 300;
// A text of JSON that is nested deeper is shown as the text that it is: drawing it would call itself for each step down.
// Recorded JSON is never that deep: it would not have been read.
const MAX_NESTED = 120;

// Whether the brackets of a text go deeper than that.
function tooDeep(text) {
  let [deep, quoted] = [0, false];
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (quoted) {
      if (c === "\\") i += 1;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === "[" || c === "{") {
      deep += 1;
      if (deep > MAX_NESTED) return true;
    } else if (c === "]" || c === "}") deep -= 1;
  }
  return false;
}

function pointerKey(key) {
  return String(key).replace(/~/g, "~0").replace(/\//g, "~1");
}

// Draws a value; `pointers` are marked. Past a number of nodes, or of characters of one of them, a button draws the rest.
function jsonView(value, pointers, all) {
  const state = {
    left: all ? Infinity : MAX_NODES, marks: new Set(pointers), more: false,
    cut(text, most) {
      if (text.length <= (all ? MAX_SHOWN : most)) return text;
      this.more ||= !all;
      return all ? `${text.slice(0, MAX_SHOWN)}... (${grouped(text.length - MAX_SHOWN)} more characters)` : cut(text, most);
    },
  };
  const pre = el("pre", { class: "json" });
  jsonInto(pre, value, "", "", state);
  if (state.left <= 0 || state.more) {
    const box = el("div", {}, pre);
    box.append(el("button", { type: "button", class: "more", onclick: () => box.replaceWith(jsonView(value, pointers, true)) }, "show all of it"));
    return box;
  }
  return pre;
}

function jsonInto(into, value, pointer, indent, state) {
  state.left -= 1;
  if (state.left <= 0) {
    if (state.left === 0) into.append("...");
    return;
  }
  let target = into;
  if (pointer && state.marks.has(pointer)) {
    target = el("mark", {});
    into.append(target);
  }
  if (value instanceof Exact) target.append(el("span", { class: "num" }, value.source));
  else if (Array.isArray(value)) jsonMany(target, "[", "]", value.map((v, i) => [null, v, i]), pointer, indent, state);
  else if (value !== null && typeof value === "object") {
    jsonMany(target, "{", "}", Object.entries(value).map(([k, v]) => [k, v, k]), pointer, indent, state);
  } else {
    target.append(el("span", { class: typeof value === "string" ? "str" : "num" }, state.cut(JSON.stringify(value), MAX_STRING)));
  }
}

function jsonMany(into, open, close, entries, pointer, indent, state) {
  into.append(open);
  if (!entries.length) {
    into.append(close);
    return;
  }
  const inner = `${indent}  `;
  // Short ones of plain values stay on one line.
  const flat = entries.every(([, v]) => v === null || typeof v !== "object" || v instanceof Exact)
    && entries.reduce((n, [k, v]) => n + (k ? k.length + 4 : 0) + String(v).length + 4, indent.length) < 76;
  entries.forEach(([key, v, step], i) => {
    if (state.left <= 0) return;
    into.append(flat ? (i ? " " : open === "{" ? " " : "") : `\n${inner}`);
    if (key !== null) into.append(el("span", { class: "key" }, state.cut(JSON.stringify(key), MAX_KEY)), ": ");
    jsonInto(into, v, `${pointer}/${pointerKey(step)}`, inner, state);
    if (i < entries.length - 1) into.append(",");
  });
  into.append(flat ? (open === "{" ? " " : "") : `\n${indent}`, close);
}

// A text with ranges marked.
function marked(text, ranges) {
  const pieces = [];
  let from = 0;
  for (const [a, b] of positions(text, ranges)) {
    pieces.push(text.slice(from, a), el("mark", {}, text.slice(a, b)));
    from = b;
  }
  pieces.push(text.slice(from));
  return pieces;
}

// A payload: JSON as a tree, anything else as text. `evidence` are the pieces of evidence within it.
function payload(value, evidence) {
  const ranges = evidence.map((e) => e.range).filter(Boolean);
  let shown = value;
  if (typeof value === "string" && !ranges.length && /^\s*[[{]/.test(value) && !tooDeep(value)) {
    try {
      shown = JSON.parse(value, exact);
    } catch {
      shown = value;
    }
  }
  if (typeof shown !== "string") return jsonView(shown, evidence.map((e) => e.pointer).filter(Boolean));
  if (ranges.length) return el("pre", { class: "text" }, marked(shown, ranges));
  return long(shown, 4000, (text) => el("pre", { class: "text" }, text));
}
