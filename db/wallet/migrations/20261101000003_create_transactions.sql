-- migrate:up
CREATE TABLE IF NOT EXISTS transactions (
    id              VARCHAR(255)   NOT NULL,
    account_id_from VARCHAR(255)   NOT NULL,
    account_id_to   VARCHAR(255)   NOT NULL,
    amount          DECIMAL(15, 2) NOT NULL,
    created_at      DATETIME(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (id),
    CONSTRAINT transactions_from FOREIGN KEY (account_id_from) REFERENCES accounts (id),
    CONSTRAINT transactions_to FOREIGN KEY (account_id_to) REFERENCES accounts (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS transactions;
