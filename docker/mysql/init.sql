-- One server, two databases, and nobody who reaches both. Valid on MySQL and on MariaDB; may run again, and as an
-- `--init-file` (each statement on one line).
-- The passwords are those of a demo whose server is not published; elsewhere, make users of your own.

CREATE DATABASE IF NOT EXISTS wallet CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS balances CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS wallet_test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS balances_test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS toy_orders_test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS toy_stock_test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The services read and write rows. Tables are made and changed by the owners, who only run migrations and seeds.
CREATE USER IF NOT EXISTS 'wallet'@'%' IDENTIFIED BY 'wallet';
CREATE USER IF NOT EXISTS 'wallet_owner'@'%' IDENTIFIED BY 'wallet_owner';
GRANT SELECT, INSERT, UPDATE, DELETE ON `wallet`.* TO 'wallet'@'%';
GRANT ALL PRIVILEGES ON `wallet`.* TO 'wallet_owner'@'%';

CREATE USER IF NOT EXISTS 'balances'@'%' IDENTIFIED BY 'balances';
CREATE USER IF NOT EXISTS 'balances_owner'@'%' IDENTIFIED BY 'balances_owner';
GRANT SELECT, INSERT, UPDATE, DELETE ON `balances`.* TO 'balances'@'%';
GRANT ALL PRIVILEGES ON `balances`.* TO 'balances_owner'@'%';

-- An underscore in a GRANT matches any character unless it is escaped.
CREATE USER IF NOT EXISTS 'tests'@'%' IDENTIFIED BY 'tests';
GRANT ALL PRIVILEGES ON `wallet\_test`.* TO 'tests'@'%';
GRANT ALL PRIVILEGES ON `balances\_test`.* TO 'tests'@'%';
GRANT ALL PRIVILEGES ON `toy\_orders\_test`.* TO 'tests'@'%';
GRANT ALL PRIVILEGES ON `toy\_stock\_test`.* TO 'tests'@'%';
