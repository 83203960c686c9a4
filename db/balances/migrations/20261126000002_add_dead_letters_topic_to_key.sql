-- migrate:up
-- A broker before Kafka 2.8 has no topic ids: without the topic's name, records of two topics would be taken for one.
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
            WHERE table_schema = DATABASE() AND table_name = 'dead_letters'
              AND index_name = 'dead_letters_record' AND column_name = 'topic'),
    'DO 0',
    'ALTER TABLE dead_letters DROP KEY dead_letters_record, ADD UNIQUE KEY dead_letters_record (topic_id, topic, partition_id, record_offset)');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;

-- migrate:down
-- The wider key stays where the rows need it. It does not disturb the version before.
SET @change = IF(
    NOT EXISTS (SELECT 1 FROM information_schema.statistics
                WHERE table_schema = DATABASE() AND table_name = 'dead_letters'
                  AND index_name = 'dead_letters_record' AND column_name = 'topic')
    OR EXISTS (SELECT 1 FROM dead_letters GROUP BY topic_id, partition_id, record_offset HAVING COUNT(*) > 1),
    'DO 0',
    'ALTER TABLE dead_letters DROP KEY dead_letters_record, ADD UNIQUE KEY dead_letters_record (topic_id, partition_id, record_offset)');
PREPARE migration FROM @change;
EXECUTE migration;
DEALLOCATE PREPARE migration;
