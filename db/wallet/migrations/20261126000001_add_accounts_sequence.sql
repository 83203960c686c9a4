-- migrate:up
-- The sequence of the last event that names the account. MySQL has no ADD COLUMN IF NOT EXISTS: the prepared statement lets
-- an interrupted migration run again.
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'accounts' AND column_name = 'sequence'),
    'DO 0',
    'ALTER TABLE accounts ADD COLUMN sequence BIGINT UNSIGNED NOT NULL DEFAULT 0');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;

-- migrate:down
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'accounts' AND column_name = 'sequence'),
    'ALTER TABLE accounts DROP COLUMN sequence',
    'DO 0');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;
