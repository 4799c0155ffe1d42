//! The throw-away PostgreSQL: the newest version installed, without syncs, on a free port of this computer.
//!
//! It refuses to run as root; then it runs as the account `postgres` that its package made.

use super::{Server, watched};

/// Both accounts have the same password. The folder is made by the account that the server runs as, outside of
/// folders that only this account may enter.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if [ -z "$programs" ]; then
    programs=$(dirname "$(command -v postgres)") || { echo 'PostgreSQL is not installed'; exit 1; }
fi
as=''
[ "$(id -u)" -ne 0 ] || { as='runuser -u postgres --'; unset TMPDIR; }
cd /
folder=$($as mktemp -d -t posyandu-gateway-postgres.XXXXXX) || { echo 'no folder'; exit 1; }
printf '%s\n' "$PASSWORD" | $as tee "$folder/word" >/dev/null
$as "$programs/initdb" --pgdata="$folder/data" --username="$OWNER" --pwfile="$folder/word" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null 2>&1 ||
    { $as rm -rf "$folder"; echo 'initdb failed'; exit 1; }
printf "CREATE ROLE %s LOGIN PASSWORD '%s'\n" "$READER" "$PASSWORD" |
    $as "$programs/postgres" --single -D "$folder/data" postgres >/dev/null 2>&1
launch() {
    $as "$programs/postgres" -D "$folder/data" -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
        -c fsync=off -c full_page_writes=off -c shared_buffers=16MB -c max_connections=60 >/dev/null 2>&1 &
}
launch
looks=0
until "$programs/pg_isready" --quiet --host=127.0.0.1 --port="$PORT" || [ "$looks" -ge 600 ]; do
    looks=$((looks + 1))
    sleep 0.1
done
echo started
exec >/dev/null
while read -r word; do
    case "$word" in
    crash) kill -QUIT "$(head -n 1 "$folder/data/postmaster.pid")"; wait ;;
    start) launch ;;
    esac
done
kill -QUIT "$(head -n 1 "$folder/data/postmaster.pid")"
wait
rm -rf "$folder"
"#;

pub fn start() -> Server {
    watched("postgres", SCRIPT)
}
