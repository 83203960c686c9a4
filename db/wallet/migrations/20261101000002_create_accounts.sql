-- migrate:up
CREATE TABLE IF NOT EXISTS accounts (
    id         VARCHAR(255)   NOT NULL,
    client_id  VARCHAR(255)   NOT NULL,
    balance    DECIMAL(15, 2) NOT NULL DEFAULT 0,
    created_at DATETIME(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (id),
    CONSTRAINT accounts_client FOREIGN KEY (client_id) REFERENCES clients (id),
    CONSTRAINT accounts_balance_not_negative CHECK (balance >= 0)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS accounts;
