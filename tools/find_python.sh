#!/bin/sh
# Prints the first Python 3.10 or newer on the PATH, the machine's own `python3` before the others; nothing where there is none.
# Pythons for which the pinned wheels exist come first: a newer one is taken only where there is no other.
ask() {
    for name in python3 python3.12 python3.11 python3.13 python3.10 python3.14; do
        if "$name" -c "import sys; sys.exit(not ($1))" >/dev/null 2>&1; then
            "$name" -c "import sys; print(sys.executable)"
            exit 0
        fi
    done
}
ask "(3, 10) <= sys.version_info[:2] <= (3, 13)"
ask "sys.version_info[:2] >= (3, 10)"
