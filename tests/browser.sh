#!/bin/sh
# Looks at the dashboard's pages in a real browser: Debian's chromium, driven by Playwright, with axe-core's rules.
# Both are installed once, at pinned versions, into FOLDER (kept between runs).
#
# Usage: tests/browser.sh ADDRESS PASSWORD FOLDER     screenshots go to FOLDER/gambar
# Exit status: 0 all is well, 1 something is not, 2 something needed is missing
set -eu

address=${1:?usage: tests/browser.sh ADDRESS PASSWORD FOLDER}
password=${2:?}
folder=${3:?}
here=$(cd "$(dirname "$0")" && pwd)
node_packages='playwright-core@1.65.1 axe-core@4.14.1'

for tool in node npm chromium; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing. On Debian or Ubuntu: apt install nodejs npm chromium" >&2
        exit 2
    fi
done

mkdir -p "$folder"
# The stamp names what was installed, so that a changed version is installed anew.
if [ "$(cat "$folder/installed" 2>/dev/null)" != "$node_packages" ]; then
    rm -rf "$folder/node_modules" "$folder/package.json" "$folder/package-lock.json"
    # Word splitting of the list is meant.
    # shellcheck disable=SC2086
    if ! { echo '{"private": true}' >"$folder/package.json" &&
        (cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts $node_packages); } >&2; then
        echo "Playwright and axe-core cannot be installed: access to the package registry is needed" >&2
        exit 2
    fi
    printf '%s' "$node_packages" >"$folder/installed"
fi

exec node "$here/browser.mjs" "$address" "$password" "$folder" "$(command -v chromium)"
