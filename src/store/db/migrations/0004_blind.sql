-- Whether somebody had seen what the check says before they answered may be not known: of what was brought in without a
-- word of it, and of what was answered in the terminal before it was looked up in the trail. Who saw what of an item is
-- looked up with every answer.

ALTER TABLE labels ADD COLUMN shown BIGINT;
UPDATE labels SET shown = 1 WHERE shown_proposal <> 0;
UPDATE labels SET shown = 0 WHERE shown_proposal = 0 AND source = 'web';
ALTER TABLE labels DROP COLUMN shown_proposal;
ALTER TABLE labels RENAME COLUMN shown TO shown_proposal;

CREATE INDEX trail_by_item ON trail (item, who);
