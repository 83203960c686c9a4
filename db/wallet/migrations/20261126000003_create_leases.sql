-- migrate:up
-- Which process does a job that only one may do, and until when, by this database's clock.
CREATE TABLE IF NOT EXISTS leases (
    name       VARCHAR(64) NOT NULL,
    holder     CHAR(36)    NOT NULL,
    expires_at DATETIME(6) NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS leases;
