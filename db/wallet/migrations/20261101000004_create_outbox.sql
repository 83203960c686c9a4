-- migrate:up
-- The ids are the sequence of the events. Before each start they are raised to the microseconds of the clock.
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
