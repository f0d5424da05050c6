#!/usr/bin/env bash
# Generates the shop's data where it is missing, then runs the shop's job on it.
#
#   examples/shop/run.sh [--master M] [--events N] [--users N] [--items N] [--scale S] [--days N] [--seed N] [...]
#
# Everything that is not a parameter of the data goes to `sluice run`. Data and results lie in the subfolder `shop` of
# SLUICE_EXAMPLE_DIR (default: target/examples); the results of an earlier run are replaced.
set -euo pipefail
start=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=${SLUICE_EXAMPLE_DIR:-$PWD/target/examples}/shop
[[ $folder == /* ]] || folder=$start/$folder

data_options=()
run_options=()
while (($#)); do
  case $1 in
    --events=* | --users=* | --items=* | --scale=* | --days=* | --seed=*)
      data_options+=("$1")
      shift
      ;;
    --events | --users | --items | --scale | --days | --seed)
      (($# >= 2)) || { echo "error: $1 needs a value" >&2; exit 1; }
      data_options+=("$1" "$2")
      shift 2
      ;;
    *)
      run_options+=("$1")
      shift
      ;;
  esac
done

cargo build --release --bin sluice --bin shop-data
binaries=${CARGO_TARGET_DIR:-target}/release
mkdir -p "$folder"
"$binaries/shop-data" --out "$folder/data" "${data_options[@]}"
rm -rf "$folder/out"
exec "$binaries/sluice" run examples/shop/job.sql --var "data=$folder/data" --var "out=$folder/out" "${run_options[@]}"
