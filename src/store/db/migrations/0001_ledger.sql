-- Runs, what goes to people, what they say, who they are, and what is to be told.
-- Times are milliseconds since the epoch, UTC. Yes and no are 1 and 0. What has parts is JSON.

CREATE TABLE runs (
    n SERIAL_KEY,
    id TEXT NOT NULL UNIQUE,
    agent TEXT,
    version TEXT,
    started BIGINT NOT NULL,
    finished BIGINT,
    exit_code BIGINT,
    partial TEXT,
    seatrial TEXT NOT NULL,
    record TEXT NOT NULL,
    record_digest TEXT,
    added BIGINT NOT NULL
);
CREATE INDEX runs_by_agent ON runs (agent, version, started);
CREATE INDEX runs_by_time ON runs (started);

CREATE TABLE run_suites (
    run BIGINT NOT NULL,
    at BIGINT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    decision TEXT NOT NULL,
    reasons TEXT NOT NULL,
    summary TEXT,
    PRIMARY KEY (run, at)
);
CREATE INDEX run_suites_by_name ON run_suites (name);

CREATE TABLE run_checks (
    run BIGINT NOT NULL,
    suite BIGINT NOT NULL,
    at BIGINT NOT NULL,
    id TEXT NOT NULL,
    digest TEXT NOT NULL,
    level TEXT NOT NULL,
    severity TEXT NOT NULL,
    PRIMARY KEY (run, suite, at)
);

CREATE TABLE run_sessions (
    run BIGINT NOT NULL,
    suite BIGINT NOT NULL,
    at BIGINT NOT NULL,
    digest TEXT NOT NULL,
    session_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    trial TEXT
);
CREATE INDEX run_sessions_by_run ON run_sessions (run);

-- Many, and read by run: nothing but that is worth an index.
CREATE TABLE verdicts (
    run BIGINT NOT NULL,
    suite BIGINT NOT NULL,
    session BIGINT NOT NULL,
    check_at BIGINT NOT NULL,
    status TEXT NOT NULL,
    score DOUBLE PRECISION,
    confidence DOUBLE PRECISION NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX verdicts_by_run ON verdicts (run);

-- Sessions to read, once each. `bytes` goes when they are purged; the row stays, and says so.
CREATE TABLE contents (
    digest TEXT PRIMARY KEY,
    bytes BYTES,
    size BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    purged BIGINT
);
CREATE INDEX contents_by_time ON contents (stored);

CREATE TABLE items (
    id TEXT PRIMARY KEY,
    suite TEXT NOT NULL,
    check_id TEXT NOT NULL,
    check_digest TEXT NOT NULL,
    session TEXT NOT NULL,
    subject TEXT NOT NULL,
    run TEXT NOT NULL,
    session_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    trial TEXT,
    level TEXT NOT NULL,
    severity TEXT NOT NULL,
    tags TEXT NOT NULL,
    why TEXT NOT NULL,
    inclusion DOUBLE PRECISION NOT NULL,
    holds BIGINT NOT NULL,
    proposal TEXT NOT NULL,
    score DOUBLE PRECISION,
    confidence DOUBLE PRECISION NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    judge TEXT,
    judge_version TEXT,
    rubric TEXT,
    question TEXT NOT NULL,
    content TEXT,
    baseline TEXT,
    against TEXT,
    reviewers BIGINT NOT NULL,
    due BIGINT,
    expires BIGINT NOT NULL,
    priority DOUBLE PRECISION NOT NULL,
    created BIGINT NOT NULL,
    -- By which the next one is chosen: priority, and how long it has waited.
    rank DOUBLE PRECISION NOT NULL,
    -- What the labels add up to (ledger::standing), written with each label.
    status TEXT NOT NULL,
    decision TEXT,
    decided TEXT,
    wanted BIGINT NOT NULL,
    resolved BIGINT,
    fence BIGINT NOT NULL
);
CREATE INDEX items_next ON items (rank DESC, id) WHERE wanted > 0;
CREATE INDEX items_due ON items (due) WHERE wanted > 0 AND due IS NOT NULL;
CREATE INDEX items_by_suite ON items (suite, check_id);
CREATE INDEX items_by_session ON items (session);

CREATE TABLE item_runs (item TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (item, run));
CREATE INDEX item_runs_by_run ON item_runs (run);

CREATE TABLE item_tags (item TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (item, tag));
CREATE INDEX item_tags_by_tag ON item_tags (tag);

CREATE TABLE leases (
    item TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    fence BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (item, reviewer)
);
CREATE INDEX leases_by_reviewer ON leases (reviewer);

-- The book: rows are added, and none is ever changed or taken out.
CREATE TABLE labels (
    id TEXT PRIMARY KEY,
    item TEXT NOT NULL REFERENCES items (id),
    seq BIGINT NOT NULL,
    reviewer TEXT NOT NULL,
    act TEXT NOT NULL,
    answer TEXT,
    skip_reason TEXT,
    undoes TEXT UNIQUE REFERENCES labels (id),
    comment TEXT NOT NULL,
    at BIGINT NOT NULL,
    seconds BIGINT,
    source TEXT NOT NULL,
    shown_proposal BIGINT NOT NULL,
    UNIQUE (item, seq)
);
CREATE INDEX labels_by_reviewer ON labels (reviewer, item);

CREATE TABLE drafts (
    item TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    body TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (item, reviewer)
);

CREATE TABLE users (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    role TEXT NOT NULL,
    disabled BIGINT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE logins (
    token_hash TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    csrf TEXT NOT NULL,
    created BIGINT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX logins_by_name ON logins (name);

CREATE TABLE failed_logins (name TEXT NOT NULL, origin TEXT NOT NULL, at BIGINT NOT NULL);
CREATE INDEX failed_logins_by_time ON failed_logins (at);

-- Who looked at what.
CREATE TABLE trail (
    n SERIAL_KEY,
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    item TEXT,
    session TEXT,
    origin TEXT NOT NULL
);
CREATE INDEX trail_by_time ON trail (at);

-- What is to be told to others; `name` keeps the same thing from being told twice.
CREATE TABLE outbox (
    n SERIAL_KEY,
    name TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    created BIGINT NOT NULL,
    due BIGINT,
    tries BIGINT NOT NULL,
    outcome TEXT
);
CREATE INDEX outbox_due ON outbox (due);
