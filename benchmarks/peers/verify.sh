#!/usr/bin/env bash
# Compares the feature functions with Python's libraries, in a Python environment of its own.
#
#   benchmarks/peers/verify.sh [--rows N] [--master M] [--only GROUP,…]
#
# Builds `sluice` where it is missing. Where the packages cannot be installed it says so and compares nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${CARGO_TARGET_DIR:-target}
environment=$target/peers
requirements=benchmarks/peers/requirements.txt
if ! cmp -s "$requirements" "$environment/installed.txt"; then
  if ! { python3 -m venv "$environment" && "$environment/bin/pip" install --quiet --requirement "$requirements"; }; then
    echo "skipped: the packages of $requirements cannot be installed"
    exit 0
  fi
  cp "$requirements" "$environment/installed.txt"
fi
[[ -x $target/release/sluice ]] || cargo build --release --workspace
exec "$environment/bin/python" benchmarks/peers/verify_features.py --sluice "$target/release/sluice" "$@"
