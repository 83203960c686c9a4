-- migrate:up
-- The W3C Trace Context of the request, in the form of version 00. NULL for a request without one.
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'outbox' AND column_name = 'traceparent'),
    'DO 0',
    'ALTER TABLE outbox ADD COLUMN traceparent CHAR(55) NULL DEFAULT NULL');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;

-- migrate:down
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'outbox' AND column_name = 'traceparent'),
    'ALTER TABLE outbox DROP COLUMN traceparent',
    'DO 0');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;
