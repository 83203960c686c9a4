-- migrate:up
-- The transfers of an account, newest first. The indexes replace those that the foreign keys made: these had no order in time.
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
            WHERE table_schema = DATABASE() AND table_name = 'transactions' AND index_name = 'transactions_by_sender'),
    'DO 0',
    'ALTER TABLE transactions
        ADD INDEX transactions_by_sender (account_id_from, created_at),
        ADD INDEX transactions_by_receiver (account_id_to, created_at),
        DROP INDEX transactions_from, DROP INDEX transactions_to');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;

-- migrate:down
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
            WHERE table_schema = DATABASE() AND table_name = 'transactions' AND index_name = 'transactions_by_sender'),
    'ALTER TABLE transactions
        ADD INDEX transactions_from (account_id_from),
        ADD INDEX transactions_to (account_id_to),
        DROP INDEX transactions_by_sender, DROP INDEX transactions_by_receiver',
    'DO 0');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;
