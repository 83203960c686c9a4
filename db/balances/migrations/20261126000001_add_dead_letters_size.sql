-- migrate:up
-- The size and hash of a value that was too large to be stored complete; 'reprocessed' replaces 'delivered'.
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'dead_letters' AND column_name = 'value_bytes'),
    'DO 0',
    'ALTER TABLE dead_letters ADD COLUMN value_bytes BIGINT UNSIGNED NULL, ADD COLUMN value_sha256 CHAR(64) NULL, MODIFY state ENUM (''parked'', ''delivered'', ''discarded'', ''reprocessed'') NOT NULL DEFAULT ''parked''');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;

-- migrate:down
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'dead_letters' AND column_name = 'value_bytes'),
    'ALTER TABLE dead_letters DROP COLUMN value_bytes, DROP COLUMN value_sha256',
    'DO 0');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;
