-- Promotions: the log, which is the truth, and the evidence that it names by digest. What they add up to is in no table: it
-- is what the log says.
CREATE TABLE promotion_log (
    seq        BIGINT PRIMARY KEY,
    hash       TEXT NOT NULL,
    body       TEXT NOT NULL,
    signatures TEXT NOT NULL
);

CREATE TABLE promotion_evidence (
    digest  TEXT PRIMARY KEY,
    content TEXT NOT NULL
);
