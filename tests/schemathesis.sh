#!/bin/sh
# Lets schemathesis compare a running intake with the OpenAPI document that it serves.
# It is installed once, at pinned versions, into FOLDER (kept between runs).
#
# Usage: TOKEN=... tests/schemathesis.sh ADDRESS [FOLDER]     ADDRESS such as 127.0.0.1:8200
#        FOLDER defaults to target/schemathesis; TOKEN is that of a sender
# Exit status: 0 every answer is as described, 1 at least one is not, 2 something needed is missing
set -eu

address=${1:?usage: TOKEN=... tests/schemathesis.sh ADDRESS [FOLDER]}
here=$(dirname "$0")
. "$here/python.sh"
folder=${2:-$here/../target/schemathesis}
packages='schemathesis==4.32.5 anyio==4.16.0 certifi==2026.10.18 charset-normalizer==3.5.2 click==8.5.1
graphql-core==3.3.2 harfile==0.6.0 hypothesis==6.170.15 hypothesis-graphql==0.13.5 idna==3.20 iniconfig==2.3.1
jsonschema_rs==0.60.3 markdown-it-py==4.3.0 MarkupSafe==3.0.4 mdurl==0.1.2 packaging==26.3 pluggy==1.7.0
Pygments==2.21.0 pyrate-limiter==4.5.1 pytest==9.2.0 PyYAML==6.0.3 requests==2.34.2 rich==15.0.0
sortedcontainers==2.4.0 typing_extensions==4.16.0 urllib3==2.8.0 Werkzeug==3.1.9'
# What a record may not be is told in its item, not by the status: `negative_data_rejection` does not apply. There is
# nothing to create and read back either.
checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance
checks=$checks,response_schema_conformance,positive_data_acceptance,unsupported_method,allow_header_conformance
checks=$checks,ignored_auth

install_python "$folder" "$packages" "schemathesis"

# It keeps what it learns in the folder it runs in.
cd "$folder"
exec ./python/bin/schemathesis run "http://$address/openapi.json" \
    --header "Authorization: Bearer ${TOKEN:?the token of a sender}" \
    --checks "$checks" --phases examples,coverage,fuzzing --max-examples 60 --max-time 40 --seed 1 \
    --request-timeout 30 --continue-on-failure --no-color --warnings off
