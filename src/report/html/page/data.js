// The data of the run, as the elements of this page hold it: the head and the tail as JSON, rows, details and
// transcripts packed.

function decoded(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function unpacked(id, reviver) {
  const node = byId(id);
  if (!node) return null;
  const stream = new Blob([decoded(node.textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text(), reviver);
}

// The run: suites with their checks, sessions and cases.
const run = { suites: [], cases: [], facts: [], transcripts: [] };

async function load() {
  const head = plain("run");
  const tail = plain("tail");
  run.summary = head.summary;
  run.plan = head.plan;
  run.facts = head.facts;
  run.transcripts = tail.transcripts;
  for (const [index, plan] of head.plan.suites.entries()) {
    const end = tail.suites[index];
    const suite = {
      index, plan, end, name: plan.name, checks: plan.checks, summary: head.summary.suites[index],
      sessions: [], cases: [], byCase: new Map(), details: [], against: [],
    };
    run.suites.push(suite);
    for (const declared of plan.cases || []) if (!declared.filtered) caseOf(suite, declared.id, declared);
    const chunks = await Promise.all(Array.from({ length: end.chunks }, (_, i) => unpacked(`rows-${index}-${i}`)));
    chunks.forEach((chunk, number) => rows(suite, chunk, number));
    suite.cases = [...suite.byCase.values()].filter((c) => c.trials.length || c.declared);
    for (const one of suite.cases) judge(suite, one);
    suite.baselines = await Promise.all(Array.from({ length: end.baselines }, (_, i) => unpacked(`baseline-${index}-${i}`)));
    run.cases.push(...suite.cases);
  }
  run.cases.forEach((c, i) => { c.order = i; });
}

function caseOf(suite, id, declared) {
  let found = suite.byCase.get(id);
  if (!found) {
    found = { suite, id, declared, tags: declared ? declared.tags || [] : [], trials: [] };
    suite.byCase.set(id, found);
  }
  return found;
}

function rows(suite, chunk, number) {
  const tags = new Map(chunk.tags);
  const errors = new Map(chunk.errors);
  const kept = new Set(chunk.kept);
  const columns = Object.entries(chunk.verdicts).map(([check, letters]) => [Number(check), letters]);
  chunk.id.forEach((id, i) => {
    const verdicts = [];
    for (const [check, letters] of columns) {
      const letter = letters[i];
      if (letter && letter !== ".") verdicts.push([check, letter]);
    }
    const session = {
      suite, id, n: suite.sessions.length, chunk: number, place: i, trial: chunk.trial[i], at: chunk.at[i],
      error: errors.get(i), kept: kept.has(i), verdicts, facts: chunk.facts.map((column) => column[i]),
    };
    session.status = statusOf(suite, session);
    suite.sessions.push(session);
    const owner = caseOf(suite, chunk.case[i]);
    session.owner = owner;
    owner.trials.push(session);
    if (!owner.declared && tags.has(i)) owner.tags = tags.get(i);
  });
}

function blocks(check) {
  return check.severity === "critical" || check.severity === "block";
}

function statusOf(suite, session) {
  if (session.error !== undefined) return "e";
  return together(session.verdicts.filter(([check]) => blocks(suite.checks[check])).map(([, letter]) => letter));
}

function judge(suite, one) {
  const wanted = suite.plan.trials || (one.declared ? 1 : 0);
  const skipped = one.declared && one.declared.skip;
  const letters = one.trials.map((t) => t.status);
  one.missing = skipped || run.summary.stopped ? 0 : Math.max(0, wanted - one.trials.length);
  one.status = together(one.missing ? [...letters, "e"] : letters);
  one.flaky = letters.includes("p") && letters.includes("f");
  one.failing = new Map();
  for (const trial of one.trials) {
    for (const [check, letter] of trial.verdicts) {
      if (letter === "p" || letter === "s") continue;
      if (!one.failing.has(check) || letter === "f") one.failing.set(check, letter);
    }
  }
  // Trials need a name in links that no other trial of the case has.
  const seen = new Map();
  for (const trial of one.trials) {
    const name = trial.trial ?? trial.id;
    const n = (seen.get(name) || 0) + 1;
    seen.set(name, n);
    trial.key = n === 1 ? name : `${name}~${n}`;
  }
}

// What is said of a session's verdicts beyond their letters.
async function details(session) {
  const { suite, chunk, place } = session;
  suite.details[chunk] ??= unpacked(`details-${suite.index}-${chunk}`);
  return (await suite.details[chunk])[place];
}

// Expected against actual of a session whose transcript is embedded; nothing where they do not differ.
async function against(session) {
  const { suite, chunk, place } = session;
  suite.against[chunk] ??= unpacked(`against-${suite.index}-${chunk}`);
  return ((await suite.against[chunk]) || {})[place];
}

function fact(session, name) {
  return session.facts[run.facts.indexOf(name)];
}

function median(values) {
  const sorted = values.filter((v) => v !== null && v !== undefined).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.ceil(sorted.length / 2) - 1] : null;
}
