-- migrate:up
-- NULL in a row that the previous version of the service wrote: its id is its sequence.
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'outbox' AND column_name = 'sequence'),
    'DO 0',
    'ALTER TABLE outbox ADD COLUMN sequence BIGINT UNSIGNED NULL, ADD COLUMN event_id CHAR(36) NULL');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;

-- migrate:down
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'outbox' AND column_name = 'sequence'),
    'ALTER TABLE outbox DROP COLUMN sequence, DROP COLUMN event_id',
    'DO 0');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;
