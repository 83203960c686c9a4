-- migrate:up
CREATE TABLE IF NOT EXISTS dead_letters (
    id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    topic_id         CHAR(36)        NOT NULL,
    topic            VARCHAR(249)    NOT NULL,
    partition_id     INT UNSIGNED    NOT NULL,
    record_offset    BIGINT UNSIGNED NOT NULL,
    record_key       LONGBLOB        NULL,
    record_value     LONGBLOB        NULL,
    record_headers   LONGTEXT        NOT NULL,
    record_timestamp BIGINT          NULL,
    error            VARCHAR(1000)   NOT NULL,
    state            ENUM ('parked', 'delivered', 'discarded') NOT NULL DEFAULT 'parked',
    parked_at        DATETIME(6)     NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    settled_at       DATETIME(6)     NULL,
    PRIMARY KEY (id),
    UNIQUE KEY dead_letters_record (topic_id, partition_id, record_offset),
    KEY dead_letters_by_state (state, settled_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS dead_letters;
