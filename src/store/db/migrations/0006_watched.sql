-- Sessions that were watched in production: a row for each version of a session and suite, of which one is current.
CREATE TABLE watched (
    n SERIAL_KEY,
    suite TEXT NOT NULL,
    session TEXT NOT NULL,
    version BIGINT NOT NULL,
    is_current BIGINT NOT NULL,
    -- When the session ended, or arrived where it does not say: by this it belongs to a window.
    at BIGINT NOT NULL,
    -- When it was looked at.
    seen BIGINT NOT NULL,
    digest TEXT NOT NULL,
    -- Why it was not evaluated; NULL where it was.
    reason TEXT,
    -- How likely it was to be evaluated.
    inclusion DOUBLE PRECISION NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (suite, session, version)
);
CREATE INDEX watched_by_time ON watched (suite, at);
CREATE INDEX watched_by_look ON watched (seen);

-- How far growing files were read.
CREATE TABLE watch_places (
    source TEXT NOT NULL,
    file TEXT NOT NULL,
    place BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    PRIMARY KEY (source, file)
);
