-- One server, two databases, and no user with access to both. Valid on MySQL and MariaDB. Can run again, and as an
-- `--init-file` (each statement on one line).
-- The passwords are for a demo whose server is not published; create other users elsewhere.

CREATE DATABASE IF NOT EXISTS wallet CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS balances CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS wallet_test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS balances_test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS toy_orders_test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS toy_stock_test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The services read and write rows. The owners create and change tables; they are used for migrations and seeds only.
CREATE USER IF NOT EXISTS 'wallet'@'%' IDENTIFIED BY 'wallet';
CREATE USER IF NOT EXISTS 'wallet_owner'@'%' IDENTIFIED BY 'wallet_owner';
GRANT SELECT, INSERT, UPDATE, DELETE ON `wallet`.* TO 'wallet'@'%';
GRANT ALL PRIVILEGES ON `wallet`.* TO 'wallet_owner'@'%';

CREATE USER IF NOT EXISTS 'balances'@'%' IDENTIFIED BY 'balances';
CREATE USER IF NOT EXISTS 'balances_owner'@'%' IDENTIFIED BY 'balances_owner';
GRANT SELECT, INSERT, UPDATE, DELETE ON `balances`.* TO 'balances'@'%';
GRANT ALL PRIVILEGES ON `balances`.* TO 'balances_owner'@'%';

-- An underscore in a GRANT matches any character unless escaped.
CREATE USER IF NOT EXISTS 'tests'@'%' IDENTIFIED BY 'tests';
GRANT ALL PRIVILEGES ON `wallet\_test`.* TO 'tests'@'%';
GRANT ALL PRIVILEGES ON `balances\_test`.* TO 'tests'@'%';
GRANT ALL PRIVILEGES ON `toy\_orders\_test`.* TO 'tests'@'%';
GRANT ALL PRIVILEGES ON `toy\_stock\_test`.* TO 'tests'@'%';
