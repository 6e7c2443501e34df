// JSON of this page as it was recorded: numbers too, where a browser cannot hold them.

// A number that a browser cannot hold exactly, with the text it was recorded as.
class Exact {
  constructor(source) {
    this.source = source;
  }
  valueOf() {
    return Number(this.source);
  }
  toString() {
    return this.source;
  }
}

function exact(_key, value, context) {
  const source = context && context.source;
  return typeof value === "number" && source !== undefined && String(value) !== source ? new Exact(source) : value;
}

function plain(id) {
  return JSON.parse(byId(id).textContent);
}
