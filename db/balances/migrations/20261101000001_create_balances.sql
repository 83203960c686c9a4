-- migrate:up
-- `sequence`: of the last event that changed the row; 0 for a seed and for events of Wallet Core (Go), which have none.
CREATE TABLE IF NOT EXISTS balances (
    account_id VARCHAR(255)    NOT NULL,
    balance    DECIMAL(15, 2)  NOT NULL,
    sequence   BIGINT UNSIGNED NOT NULL DEFAULT 0,
    updated_at DATETIME(6)     NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (account_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS balances;
