// The six deterministic checks of the workload, over the session whose number a provider answered with.
const fs = require("fs");
const Ajv = require(require.resolve("ajv/dist/2020", { paths: [process.cwd()] }));

const began = performance.now();
const sessions = fs.readFileSync(process.env.WORKLOAD, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
const spec = JSON.parse(fs.readFileSync(process.env.CHECKS, "utf8"));
const schemas = JSON.parse(fs.readFileSync(process.env.TOOL_SCHEMAS, "utf8"));
const ajv = new Ajv({ strict: false });
const validators = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]));
const required = new RegExp(spec.required_regex);
// What the driver loads by itself is not promptfoo's own share.
process.stderr.write(`load ${((performance.now() - began) / 1000).toFixed(3)}\n`);

const calls = (session) =>
  session.traj
    .filter((m) => m.role === "assistant")
    .flatMap((m) => m.tool_calls ?? [])
    .map((c) => [c.function.name, JSON.parse(c.function.arguments)]);
const actions = (session) => session.info.task.actions.map((a) => [a.name, a.kwargs]);
const replies = (session) => session.traj.filter((m) => m.role === "assistant" && m.content).map((m) => m.content);
const sorted = (value) =>
  Array.isArray(value)
    ? value.map(sorted)
    : value && typeof value === "object"
      ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
      : value;
const canonical = (call) => JSON.stringify(sorted(call));
const of = (output) => sessions[Number(output)];

module.exports = {
  count: sessions.length,
  anyOrder(output) {
    const left = calls(of(output)).map(canonical);
    return actions(of(output)).every((expected) => {
      const at = left.indexOf(canonical(expected));
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    });
  },
  inOrder(output) {
    const names = calls(of(output)).map(([name]) => name);
    let from = 0;
    return actions(of(output)).every(([name]) => {
      const at = names.indexOf(name, from);
      from = at + 1;
      return at >= 0;
    });
  },
  closing(output) {
    const texts = replies(of(output));
    return texts.length > 0 && required.test(texts[texts.length - 1]);
  },
  forbidden(output) {
    return replies(of(output)).every((reply) => !spec.forbidden.some((text) => reply.includes(text)));
  },
  args(output) {
    return calls(of(output)).every(([name, args]) => !validators[name] || validators[name](args));
  },
  fewCalls(output) {
    return calls(of(output)).length <= spec.max_tool_calls;
  },
};
