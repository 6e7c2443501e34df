// promptfoo over the workload, its best case: only the session's number travels, results are not written.
// The provider answers with the number; six JavaScript assertions find the session by it. Sessions, checks and tool
// schemas are named by WORKLOAD, CHECKS and TOOL_SCHEMAS.
const path = require("path");
const { count } = require("./checks.cjs");

const here = (name) => "file://" + path.join(__dirname, name);

module.exports = {
  prompts: ["{{i}}"],
  providers: [here("provider.cjs")],
  defaultTest: {
    assert: ["anyOrder", "inOrder", "closing", "forbidden", "args", "fewCalls"].map((name) => ({
      type: "javascript",
      metric: name,
      value: `${here("checks.cjs")}:${name}`,
    })),
  },
  tests: Array.from({ length: count }, (_, i) => ({ vars: { i } })),
};
