-- migrate:up
-- The database server (or cluster) that the events so far were written on. `changed_at`: it is another one since then, and
-- not every balance has been announced yet.
CREATE TABLE IF NOT EXISTS known_server (
    one        TINYINT     NOT NULL DEFAULT 1,
    server     VARCHAR(64) NOT NULL,
    changed_at DATETIME(6) NULL,
    PRIMARY KEY (one)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- migrate:down
DROP TABLE IF EXISTS known_server;
