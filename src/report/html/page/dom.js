// Elements, made one by one: markup is never put together from texts.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(safe(child)));
  }
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

function fragment(parts) {
  return [...el("div", {}, parts).childNodes];
}

// Whether keys are for a field in which somebody writes.
function typing(target) {
  return target.matches("input:not([type=button]), textarea, select");
}

const WORDS = { p: "pass", f: "fail", e: "error", h: "held", s: "skip", ".": "none" };
const LETTERS = { pass: "p", fail: "f", error: "e", held: "h", skip: "s" };
const SIGNS = { p: "\u2713", f: "\u2717", e: "!", h: "\u2016", s: "\u2013", ".": "\u00b7" };
const SAID = { p: "passed", f: "failed", e: "could not be measured", h: "held", s: "skipped", ".": "does not apply" };

// All of them together: what is worse wins, as the gate has it.
function together(letters) {
  for (const letter of "fehp") if (letters.includes(letter)) return letter;
  return "s";
}

// A verdict as a sign that does not depend on colour.
function sign(letter) {
  return el("span", { class: `sign ${WORDS[letter]}`, role: "img", "aria-label": SAID[letter], title: SAID[letter] }, SIGNS[letter]);
}

function badge(word, title) {
  return el("span", { class: `badge ${word.replace(/ /g, "-")}`, title }, word);
}

// What may be wider than the screen, and is then moved by the keyboard too.
function wide(name, content) {
  return el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": name }, content);
}

function link(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

// Most characters that are drawn at once: a browser takes seconds to lay out a word of a million.
const MAX_SHOWN = 50000;

// A long text: its beginning, and a button for what follows.
function long(text, most, make) {
  if (text.length <= most) return make(text);
  const box = el("div", {}, make(text.slice(0, most)));
  const next = Math.min(text.length - most, MAX_SHOWN);
  const rest = text.length - most - next;
  const more = el("button", {
    type: "button",
    class: "more",
    onclick: () => box.replaceChildren(...[long(text, most + next, make)].flat()),
  }, `show ${grouped(next)} more characters${rest > 0 ? ` (of ${grouped(next + rest)})` : ""}`);
  box.append(more);
  return box;
}
