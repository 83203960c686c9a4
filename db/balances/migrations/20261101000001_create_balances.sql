-- migrate:up
-- `sequence` is that of the event a row was last changed by; 0 for one that has none (a seed, the original's events).
CREATE TABLE IF NOT EXISTS balances (
    account_id VARCHAR(255)    NOT NULL,
    balance    DECIMAL(15, 2)  NOT NULL,
    sequence   BIGINT UNSIGNED NOT NULL DEFAULT 0,
    updated_at DATETIME(6)     NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (account_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS balances;
