-- What the suite said of the case when an item was sent: part of what its decision is keyed by.

ALTER TABLE items ADD COLUMN case_digest TEXT;
