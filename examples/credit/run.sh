#!/usr/bin/env bash
# Bins the German credit data and writes the binning table.
#
#   examples/credit/run.sh [--master M] [...]
#
# All arguments go to `sluice run`. Results lie in the subfolder `credit` of SLUICE_EXAMPLE_DIR
# (default: target/examples); those of an earlier run are replaced.
set -euo pipefail
start=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=${SLUICE_EXAMPLE_DIR:-$PWD/target/examples}/credit
[[ $folder == /* ]] || folder=$start/$folder

cargo build --release --bin sluice
mkdir -p "$folder"
rm -rf "$folder/out"
exec "${CARGO_TARGET_DIR:-target}/release/sluice" run examples/credit/job.sql \
  --var "data=$PWD/examples/credit/germancredit.csv" --var "out=$folder/out" "$@"
