#!/usr/bin/env bash
# Makes a Python environment with the engines that the SQL benchmarks compare Sluice with, and prints how to use it.
#
#   benchmarks/peers/setup.sh [FOLDER]
#
# FOLDER is ${XDG_CACHE_HOME:-$HOME/.cache}/sluice/peers unless given. What requirements-sql.txt pins is installed once,
# and again when that file changes. Spark alone needs Java, 17 or newer.
set -euo pipefail
requirements=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/requirements-sql.txt
environment=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice/peers}
if ! cmp -s "$requirements" "$environment/installed-sql.txt"; then
  python3 -m venv "$environment" >&2
  "$environment/bin/python" -m pip install --quiet --requirement "$requirements" >&2
  cp "$requirements" "$environment/installed-sql.txt"
fi
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
found=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1) || true
if [[ ${found:-0} -lt 17 ]]; then
  echo "Spark will not run: it needs Java 17 or newer, and $java is ${found:+version }${found:-missing}. On Debian," \
    "openjdk-17-jre-headless has it; JAVA_HOME may name another. The other engines do without." >&2
fi
echo "export PEERS_PYTHON=$(cd "$environment" && pwd)/bin/python"
