# Python packages for the scripts beside it, which source this file; it does nothing by itself.

# Installs packages at pinned versions into FOLDER/python, once.
#
# Usage: install_python FOLDER PACKAGES NAME     NAME says in a message what cannot be installed
# Ends the script with 2 when something needed is missing.
install_python() {
    if ! command -v python3 >/dev/null; then
        echo "python3 is missing. On Debian or Ubuntu: apt install python3 python3-venv" >&2
        exit 2
    fi
    # The stamp names what was installed, so that a changed version is installed anew.
    if [ "$(cat "$1/installed" 2>/dev/null)" != "$2" ]; then
        # Only what this script put there: the folder may hold something else.
        rm -rf "$1/python"
        mkdir -p "$1"
        # Word splitting of the list is meant.
        # shellcheck disable=SC2086
        if ! { python3 -m venv "$1/python" &&
            "$1/python/bin/pip" install --quiet --disable-pip-version-check --no-deps $2; } >&2; then
            echo "$3 cannot be installed: python3-venv and access to the package registry are needed" >&2
            exit 2
        fi
        printf '%s' "$2" >"$1/installed"
    fi
}
