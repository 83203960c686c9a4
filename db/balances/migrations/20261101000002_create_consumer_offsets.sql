-- migrate:up
-- `topic_id` distinguishes a re-created topic from the one that was read. `history_gone_at`: when records were found to be lost before they were read.
CREATE TABLE IF NOT EXISTS consumer_offsets (
    topic           VARCHAR(249)    NOT NULL,
    partition_id    INT UNSIGNED    NOT NULL,
    topic_id        CHAR(36)        NOT NULL,
    next_offset     BIGINT UNSIGNED NOT NULL,
    history_gone_at DATETIME(6)     NULL,
    PRIMARY KEY (topic, partition_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS consumer_offsets;
