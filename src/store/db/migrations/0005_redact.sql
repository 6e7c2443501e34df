-- What the suite takes out of everything that is written, as JSON: what people write of an item goes through it, too.

ALTER TABLE items ADD COLUMN redact TEXT;
