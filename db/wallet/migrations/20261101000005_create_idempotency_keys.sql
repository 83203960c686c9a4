-- migrate:up
CREATE TABLE IF NOT EXISTS idempotency_keys (
    scope           VARCHAR(64)       NOT NULL,
    idempotency_key VARCHAR(255)      NOT NULL,
    body_sha256     BINARY(32)        NOT NULL,
    status          SMALLINT UNSIGNED NULL,
    headers         TEXT              NULL,
    body            TEXT              NULL,
    created_at      DATETIME(6)       NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (scope, idempotency_key),
    KEY idempotency_keys_by_age (created_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS idempotency_keys;
