"""Runs TPC-H queries in DuckDB and leaves each result as a Parquet file.

Called by sluice-bench as `python3 duckdb_tpch.py job.json`. The job names the tables' folders, the queries, and the
folder for `q1.parquet` and so on. `outcome.json` there says which version ran, or why none could, and which query
failed.
"""

import json
import os
import sys


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def run(connection, query, output):
    for statement in query["setup"]:
        connection.execute(statement)
    try:
        connection.execute(f"COPY ({query['select']}) TO {quoted(output)} (FORMAT PARQUET)")
    finally:
        for statement in query["cleanup"]:
            connection.execute(statement)


def outcome(job):
    try:
        import duckdb
    except ImportError as error:
        return {"version": None, "unavailable": str(error), "failures": {}}
    connection = duckdb.connect()
    try:
        for name, folder in job["tables"].items():
            files = quoted(os.path.join(folder, "*.parquet"))
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files})")
    except duckdb.Error as error:
        return {"version": None, "unavailable": str(error), "failures": {}}
    failures = {}
    for query in job["queries"]:
        try:
            run(connection, query, os.path.join(job["output"], f"q{query['number']}.parquet"))
        except duckdb.Error as error:
            failures[query["number"]] = str(error)
    return {"version": duckdb.__version__, "unavailable": None, "failures": failures}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    result = outcome(job)
    with open(os.path.join(job["output"], "outcome.json"), "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
