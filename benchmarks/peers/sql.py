"""Runs SQL on one engine and says how long it took.

Started by sluice-bench as `python3 sql.py ENGINE`, where ENGINE is duckdb, polars, spark or sail. It reads one JSON
object a line and answers each with one:

- First `{"tables": {name: folder of Parquet files}, "threads": 2, "memory_bytes": null}`. The answer is
  `{"version": ...}`, or `{"unavailable": why}`, and then it ends.
- Then any number of `{"setup": [statement, ...], "select": query, "cleanup": [statement, ...], "result": null}`. The
  answer is `{"seconds": ..., "rows": ...}` or `{"error": why}`. The seconds are those of all statements and of fetching
  every row of the query. `result` may name a Parquet file for these rows; writing it is not in the seconds.

It ends when its input does.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import time

GIB = 1 << 30


class Unavailable(Exception):
    """The engine cannot be asked, for the reason given."""


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class DuckDb:
    def __init__(self, job, scratch):
        import duckdb

        self.version = duckdb.__version__
        self.connection = duckdb.connect()
        self.run(f"SET threads = {job['threads']}")
        self.run(f"SET temp_directory = {quoted(scratch)}")
        if job["memory_bytes"]:
            self.run(f"SET memory_limit = '{job['memory_bytes'] >> 20}MiB'")
        for name, folder in job["tables"].items():
            files = quoted(os.path.join(folder, "*.parquet"))
            self.run(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files})")

    def run(self, statement):
        self.connection.execute(statement)

    def fetch(self, query):
        return self.connection.execute(query).to_arrow_table()

    def close(self):
        self.connection.close()


class Polars:
    def __init__(self, job, scratch):
        # Polars reads these when it is loaded.
        os.environ["POLARS_MAX_THREADS"] = str(job["threads"])
        os.environ["POLARS_TEMP_DIR"] = scratch
        import polars

        self.version = polars.__version__
        frames = {
            name: polars.scan_parquet(os.path.join(folder, "*.parquet")) for name, folder in job["tables"].items()
        }
        self.context = polars.SQLContext(frames, eager=False)

    def run(self, statement):
        raise NotImplementedError("Polars has no views, so no statement but a query")

    def fetch(self, query):
        return self.context.execute(query).collect(engine="streaming").to_arrow()

    def close(self):
        pass


class Spark:
    def __init__(self, job, scratch):
        import pyspark

        java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
        if not shutil.which(java):
            raise Unavailable("Spark needs Java 17 or newer, and there is no java")
        self.version = pyspark.__version__
        self.session = self.connect(job, scratch)
        for name, folder in job["tables"].items():
            self.session.read.parquet(folder).createOrReplaceTempView(name)

    def connect(self, job, scratch):
        from pyspark.sql import SparkSession

        memory_bytes = job["memory_bytes"] or 12 * GIB
        return (
            SparkSession.builder.master(f"local[{job['threads']}]")
            .appName("sql")
            .config("spark.driver.memory", f"{memory_bytes >> 20}m")
            .config("spark.driver.maxResultSize", "0")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.local.dir", scratch)
            .config("spark.sql.warehouse.dir", os.path.join(scratch, "warehouse"))
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "ERROR")
            .getOrCreate()
        )

    def run(self, statement):
        # The tables are temporary views, on which only another such view may stand.
        self.session.sql(re.sub(r"^\s*create\s+view\b", "create temporary view", statement, flags=re.IGNORECASE))

    def fetch(self, query):
        return self.session.sql(query).toArrow()

    def close(self):
        self.session.stop()


class Sail(Spark):
    """Sail in this process, asked as Spark is over its protocol for clients."""

    def __init__(self, job, scratch):
        import importlib.metadata

        self.version = importlib.metadata.version("pysail")
        self.session = self.connect(job, scratch)
        for name, folder in job["tables"].items():
            self.session.read.parquet(folder).createOrReplaceTempView(name)

    def connect(self, job, scratch):
        os.environ["SAIL_EXECUTION__DEFAULT_PARALLELISM"] = str(job["threads"])
        os.environ["SAIL_RUNTIME__TEMPORARY_FILES__PATHS"] = json.dumps([scratch])
        if job["memory_bytes"]:
            os.environ["SAIL_RUNTIME__MEMORY_POOL__TYPE"] = "fair"
            os.environ["SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE"] = str(job["memory_bytes"])
        # A proxy knows nothing of an address on this machine.
        os.environ["no_grpc_proxy"] = "127.0.0.1"
        from pysail.spark import SparkConnectServer
        from pyspark.sql import SparkSession

        self.server = SparkConnectServer("127.0.0.1", 0)
        self.server.start(background=True)
        _, port = self.server.listening_address
        return SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()

    def close(self):
        self.session.stop()
        self.server.stop()


ENGINES = {"duckdb": DuckDb, "polars": Polars, "spark": Spark, "sail": Sail}


def one_line(error):
    """The error's text, cut to what tells one from another. Spark adds the plan, and the calls in its own code."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def measure(engine, request):
    start = time.perf_counter()
    try:
        for statement in request["setup"]:
            engine.run(statement)
        table = engine.fetch(request["select"])
    finally:
        # What failed is told, and not that there is then nothing to clean up.
        failed = sys.exc_info()[0] is not None
        for statement in request["cleanup"]:
            try:
                engine.run(statement)
            except Exception:
                if not failed:
                    raise
    seconds = time.perf_counter() - start
    if request["result"]:
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, request["result"])
    return {"seconds": seconds, "rows": table.num_rows}


def answer(engine, request):
    try:
        return measure(engine, request)
    except (KeyboardInterrupt, SystemExit):
        raise
    # A panic in Polars is no Exception.
    except BaseException as error:
        return {"error": one_line(error)}


def use_cores(count):
    """Keeps engines that count the machine's cores to as many as the others get."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main():
    # What libraries print goes to standard error, so that every line on standard output is an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(message):
        print(json.dumps(message), file=answers, flush=True)

    job = json.loads(sys.stdin.readline())
    use_cores(job["threads"])
    with tempfile.TemporaryDirectory(prefix="peer-") as scratch:
        try:
            engine = ENGINES[sys.argv[1]](job, scratch)
        except Unavailable as error:
            return tell({"unavailable": str(error)})
        except Exception as error:
            return tell({"unavailable": one_line(error)})
        tell({"version": engine.version})
        for line in sys.stdin:
            tell(answer(engine, json.loads(line)))
        engine.close()


if __name__ == "__main__":
    main()
