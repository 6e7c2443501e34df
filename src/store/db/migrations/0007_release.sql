-- Why somebody did what the audit log says: that of a release from quarantine, which is a row of it and nothing else.

ALTER TABLE trail ADD COLUMN why TEXT;

CREATE INDEX trail_releases ON trail (session) WHERE what = 'release';
