-- migrate:up
-- Events that wait for Kafka. The id is only the order in which the relay reads; a later migration adds the sequence.
CREATE TABLE IF NOT EXISTS outbox (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    topic       VARCHAR(249)    NOT NULL,
    message_key VARCHAR(255)    NOT NULL,
    payload     TEXT            NOT NULL,
    request_id  VARCHAR(255)    NULL,
    created_at  DATETIME(6)     NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS outbox;
