"""Runs the steps of the skew benchmark in Spark on two cores.

Called by sluice-bench as `python3 skew.py job.json`. The job names the folders of the tables, the statements, and the file
for the outcome: Spark's version or why it cannot be asked, and for each step the seconds of each run, the rows of the
result, and what the stages of the last run did: the rows and bytes that each task read from an exchange, the bytes that
the stage wrote for others, and the milliseconds of each task.
"""

import json
import os
import shutil
import sys
import tempfile
import threading
import time
import urllib.request

# How long the numbers of a run's stages may take to arrive after its rows.
SETTLE_SECONDS = 20.0


def session(job):
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master("local[2]")
        .appName("skew")
        .config("spark.driver.memory", "6g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.port", "0")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.ui.retainedTasks", "1000000")
        .config("spark.sql.shuffle.partitions", str(job["partitions"]))
        # Else adaptive execution makes two partitions for the two cores, and scans read in two tasks.
        .config("spark.default.parallelism", str(job["partitions"]))
        # As for Sluice: what is measured are exchanges.
        .config("spark.sql.autoBroadcastJoinThreshold", "-1")
        .config("spark.sql.adaptive.autoBroadcastJoinThreshold", "-1")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


class Stages:
    """Spark's own numbers of its stages, from its status page on this machine."""

    def __init__(self, context):
        # The page's own address may name a host that does not resolve.
        port = context.uiWebUrl.rsplit(":", 1)[1]
        self.url = f"http://127.0.0.1:{port}/api/v1/applications/{context.applicationId}"
        self.seen = set()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path):
        with self.opener.open(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def skip(self):
        """Forgets all stages so far."""
        self.new()

    def new(self):
        """The stages that have run since the last call."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            stages = self.get("/stages")
            busy = [stage for stage in stages if stage["status"] in ("ACTIVE", "PENDING")]
            if not busy or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        done = []
        for stage in stages:
            key = (stage["stageId"], stage["attemptId"])
            if key not in self.seen and stage["status"] == "COMPLETE":
                done.append(self.stage(stage))
            self.seen.add(key)
        return done

    def stage(self, stage):
        tasks = self.get(f"/stages/{stage['stageId']}/{stage['attemptId']}/taskList?length=1000000")
        tasks = [task for task in tasks if task["status"] == "SUCCESS"]
        read = [task["taskMetrics"]["shuffleReadMetrics"] for task in tasks]
        read_bytes = [one["localBytesRead"] + one["remoteBytesRead"] for one in read]
        reads = any(read_bytes)
        return {
            "partition_rows": [one["recordsRead"] for one in read] if reads else [],
            "partition_bytes": read_bytes if reads else [],
            "written_bytes": stage["shuffleWriteBytes"],
            "task_ms": [task["taskMetrics"]["executorRunTime"] for task in tasks],
        }


def numbers(rows):
    return [[None if value is None else int(value) for value in row] for row in rows]


def once(spark, step, job, stages):
    """One run: its seconds, its rows and its stages."""
    folder = tempfile.mkdtemp(prefix="skew-", dir=os.path.dirname(job["output"]))
    try:
        start = time.perf_counter()
        if step["check"]:
            target = os.path.join(folder, "out")
            spark.sql(step["statement"]).write.partitionBy("p").parquet(target)
            seconds = time.perf_counter() - start
            ran = stages.new()
            spark.read.parquet(target).createOrReplaceTempView(job["written"])
            rows = spark.sql(step["check"]).collect()
            stages.skip()
        else:
            rows = spark.sql(step["statement"]).collect()
            seconds = time.perf_counter() - start
            ran = stages.new()
        return seconds, numbers(rows), ran
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(spark, step, job, stages):
    outcome = {"seconds": []}
    over = threading.Event()

    def give_up():
        over.set()
        spark.sparkContext.cancelAllJobs()

    for _ in range(job["iterations"]):
        timer = threading.Timer(job["limit_seconds"], give_up)
        timer.daemon = True
        timer.start()
        try:
            seconds, outcome["rows"], outcome["stages"] = once(spark, step, job, stages)
            outcome["seconds"].append(seconds)
        except Exception as error:
            if over.is_set():
                return {"stopped_after_seconds": job["limit_seconds"]}
            return {"error": f"{type(error).__name__}: {error}"[:300]}
        finally:
            timer.cancel()
            if over.is_set():
                stages.skip()
    return outcome


def outcome(job):
    try:
        import pyspark

        spark = session(job)
    except ImportError as error:
        return {"version": None, "unavailable": str(error), "steps": {}}
    for name, folder in job["tables"].items():
        spark.read.parquet(folder).createOrReplaceTempView(name)
    # The files are in memory and the Java machine is warm before the first step.
    large = next(name for name in job["tables"] if name.endswith("fact"))
    spark.sql(f"SELECT max(k), max(s), max(k2), max(a), max(b), max(x), max(payload) FROM {large}").collect()
    stages = Stages(spark.sparkContext)
    stages.skip()
    steps = {step["name"]: measure(spark, step, job, stages) for step in job["steps"]}
    spark.stop()
    return {"version": pyspark.__version__, "unavailable": None, "steps": steps}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    result = outcome(job)
    with open(job["output"], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
