// Texts: what was recorded is hostile. It is shown as text alone, and nothing in it may reorder or hide what stands
// beside it: the same characters are escaped as in the terminal.

const HOSTILE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

function safe(text) {
  return String(text).replace(HOSTILE, (c) => {
    if (c === "\r") return "\\r";
    const code = c.codePointAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

// As safe, for what stays on one line.
function line(text) {
  return safe(text).replace(/\n/g, "\\n").replace(/\t/g, "\\t");
}

// Longest name of an operation, a model, a place: what names something is short, unless it is meant to be in the way.
const MAX_NAME = 200;

function named(text) {
  return cut(line(text), MAX_NAME);
}

function cut(text, most) {
  return text.length <= most ? text : `${text.slice(0, most)}...`;
}

function grouped(n) {
  const [whole, part] = String(n).split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return part ? `${text}.${part}` : text;
}

// Three significant digits, without a tail of zeros.
function short(n) {
  if (n === 0) return "0";
  return grouped(Number(Number(n).toPrecision(3)));
}

function duration(ms) {
  if (ms >= 3600e3) return `${short(ms / 3600e3)} h`;
  if (ms >= 60e3) return `${short(ms / 60e3)} min`;
  if (ms >= 1000) return `${short(ms / 1000)} s`;
  if (ms >= 1 || ms === 0) return `${short(ms)} ms`;
  return `${short(ms * 1000)} µs`;
}

function dollars(usd) {
  return `$${usd !== 0 && Math.abs(usd) < 0.01 ? Number(usd.toPrecision(2)) : usd.toFixed(usd < 1 ? 3 : 2)}`;
}

const FACTS = {
  session_ms: { name: "duration", show: duration },
  tokens: { name: "tokens", show: grouped },
  cost_usd: { name: "cost", show: dollars },
  turns: { name: "turns", show: grouped },
  tool_calls: { name: "tool calls", show: grouped },
  tool_errors: { name: "tool errors", show: grouped },
};

function plural(n, one, many) {
  return `${grouped(n)} ${n === 1 ? one : many || `${one}s`}`;
}

// From positions in bytes, as evidence gives them, to positions in a text; sorted and apart.
function positions(text, ranges) {
  const wanted = ranges.flat();
  const at = new Map();
  let bytes = 0;
  for (let i = 0; i <= text.length; i += 1) {
    if (wanted.includes(bytes)) at.set(bytes, at.get(bytes) ?? i);
    const code = text.charCodeAt(i);
    if (code < 0x80) bytes += 1;
    else if (code < 0x800) bytes += 2;
    else if (code >= 0xd800 && code < 0xdc00) {
      bytes += 4;
      i += 1;
    } else bytes += 3;
  }
  const found = ranges.filter(([a, b]) => at.has(a) && at.has(b) && a < b).map(([a, b]) => [at.get(a), at.get(b)]);
  found.sort((a, b) => a[0] - b[0]);
  return found.filter(([a], i) => i === 0 || a >= found[i - 1][1]);
}
