-- migrate:up
-- The leader epoch of the last record before `next_offset`: it shows that the log was truncated meanwhile. -1: unknown.
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'consumer_offsets' AND column_name = 'leader_epoch'),
    'DO 0',
    'ALTER TABLE consumer_offsets ADD COLUMN leader_epoch INT NOT NULL DEFAULT -1');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;

-- migrate:down
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'consumer_offsets' AND column_name = 'leader_epoch'),
    'ALTER TABLE consumer_offsets DROP COLUMN leader_epoch',
    'DO 0');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;
