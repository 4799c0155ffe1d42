//! The throw-away MariaDB: without syncs, on a free port of this computer.

use super::{Server, watched};

/// The accounts are made by a file that the server runs when it starts.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
PATH="$PATH:/usr/sbin:/usr/local/sbin"
server=$(command -v mariadbd || command -v mysqld) || { echo 'MariaDB is not installed'; exit 1; }
cd /
folder=$(mktemp -d -t posyandu-gateway-mariadb.XXXXXX) || { echo 'no folder'; exit 1; }
as=''
[ "$(id -u)" -ne 0 ] || as='--user=root'
mariadb-install-db --no-defaults --datadir="$folder/data" --skip-test-db --auth-root-authentication-method=normal \
    $as >"$folder/log" 2>&1 || { rm -rf "$folder"; echo 'mariadb-install-db failed'; exit 1; }
cat >"$folder/accounts.sql" <<END
CREATE USER '$OWNER'@'%' IDENTIFIED BY '$PASSWORD';
GRANT ALL PRIVILEGES ON *.* TO '$OWNER'@'%' WITH GRANT OPTION;
CREATE USER '$READER'@'%' IDENTIFIED BY '$PASSWORD';
END
"$server" --no-defaults $as --datadir="$folder/data" --socket="$folder/socket" --pid-file="$folder/pid" \
    --bind-address=127.0.0.1 --port="$PORT" --skip-name-resolve --init-file="$folder/accounts.sql" \
    --character-set-server=utf8mb4 --innodb-buffer-pool-size=32M --innodb-flush-log-at-trx-commit=0 \
    --innodb-flush-method=nosync --innodb-log-file-size=8M --max-connections=60 >>"$folder/log" 2>&1 &
echo started
exec >/dev/null
cat >/dev/null
kill -KILL $!
wait
rm -rf "$folder"
"#;

pub fn start() -> Server {
    watched("mariadb", SCRIPT)
}
