"""Times feature steps in another library, on one core.

Called by sluice-bench as `python3 features.py job.json`. The job names the library, the folders of the two tables, the
steps, and the file for the outcome: the library's version or why it cannot be asked, and for each step that it has the
seconds of each iteration and the number of values it read. Reading the files and whatever a step needs from the step
before it is not in these times.
"""

import gc
import importlib
import json
import os
import signal
import sys
import threading
import time

TEXTS = [f"c{number}" for number in range(1, 27)]
NUMBERS = [f"i{number}" for number in range(1, 14)]
SMALL = [f"c{number}" for number in (6, 9, 14, 17, 20, 22, 23, 25)]
EDGES = [0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0]
TEN_THOUSAND = ["c7"]
BUCKETS = 262144
# A step that takes longer is not run again.
LONG_SECONDS = 30.0
# What a library that can give up its work gets for that, before the alarm goes off within it.
GRACE_SECONDS = 30


class StepLimit(BaseException):
    """The step ran past the limit. Not an Exception, so that no library takes it for a failure of its own."""


class Step:
    """What is timed, the values it reads, and what has to be there before."""

    def __init__(self, run, values, prepare=None):
        self.run = run
        self.values = values
        self.prepare = prepare


def sklearn_steps(job):
    import numpy as np
    import pyarrow.parquet as pq
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import (
        KBinsDiscretizer,
        MinMaxScaler,
        OneHotEncoder,
        OrdinalEncoder,
        RobustScaler,
        StandardScaler,
        TargetEncoder,
    )

    table = pq.read_table(job["criteo"])
    rows = table.num_rows
    label = table["label"].to_numpy()
    raw = np.column_stack([table[name].to_numpy() for name in NUMBERS])
    # KBinsDiscretizer refuses missing values.
    numbers = np.nan_to_num(raw, nan=0.0)
    texts = np.column_stack([table[name].to_numpy(zero_copy_only=False) for name in TEXTS])
    small = texts[:, [TEXTS.index(name) for name in SMALL]]
    one = texts[:, [TEXTS.index(TEN_THOUSAND[0])]]
    docs = pq.read_table(job["docs"])["body"].to_pylist()
    del table

    def bins(strategy):
        options = {"quantile_method": "averaged_inverted_cdf"} if strategy == "quantile" else {}
        return KBinsDiscretizer(10, encode="ordinal", strategy=strategy, subsample=None, **options)

    def fitted(model, *data):
        return lambda: model.fit(*data)

    def hash_rows():
        named = ([f"{name}={value}" for name, value in zip(TEXTS, row)] for row in texts)
        return FeatureHasher(BUCKETS, input_type="string").transform(named)

    def tokens_of(options):
        analyze = CountVectorizer(**options).build_analyzer()
        return lambda: [analyze(text) for text in docs]

    def after(model, data, *target):
        return lambda: model().fit(data, *target)

    encoder = lambda: TargetEncoder(smooth=20, cv=5, random_state=42)
    ordinal = lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    tokens = lambda: sum(map(len, tokens_of({})()))
    all_numbers, all_texts = rows * len(NUMBERS), rows * len(TEXTS)
    return {
        "feature_hash": Step(lambda _: hash_rows(), all_texts),
        "fit_width_bins": Step(lambda _: bins("uniform").fit(numbers), all_numbers),
        "fit_kmeans_bins": Step(lambda _: bins("kmeans").fit(numbers), all_numbers),
        "fit_quantile_bins": Step(lambda _: bins("quantile").fit(numbers), all_numbers),
        "bins_apply": Step(lambda state: state.transform(numbers), all_numbers, fitted(bins("quantile"), numbers)),
        "fit_minmax": Step(lambda _: MinMaxScaler().fit(raw), all_numbers),
        "fit_robust": Step(lambda _: RobustScaler().fit(raw), all_numbers),
        "fit_standard": Step(lambda _: StandardScaler().fit(raw), all_numbers),
        "scale_apply": Step(lambda state: state.transform(raw), all_numbers, fitted(StandardScaler(), raw)),
        "fit_imputer": Step(lambda _: SimpleImputer(strategy="median").fit(raw), all_numbers),
        "impute_apply": Step(
            lambda state: state.transform(raw), all_numbers, fitted(SimpleImputer(strategy="median"), raw)
        ),
        "auc": Step(lambda _: roc_auc_score(label, numbers[:, 1]), rows),
        "fit_target_encoding": Step(lambda _: encoder().fit(texts, label), all_texts),
        "target_encoding_apply": Step(lambda state: state.transform(texts), all_texts, after(encoder, texts, label)),
        "target_encoding_apply_10k": Step(lambda state: state.transform(one), rows, after(encoder, one, label)),
        "target_encoding_5_folds": Step(lambda _: encoder().fit_transform(texts, label), all_texts),
        "fit_categorify": Step(lambda _: ordinal().fit(texts), all_texts),
        "categorify_apply": Step(lambda state: state.transform(texts), all_texts, after(ordinal, texts)),
        "categorify_apply_10k": Step(lambda state: state.transform(one), rows, after(ordinal, one)),
        "fit_one_hot": Step(lambda _: OneHotEncoder().fit(small), rows * len(SMALL)),
        "one_hot_apply": Step(lambda state: state.transform(small), rows * len(SMALL), after(OneHotEncoder, small)),
        "tokenize": Step(lambda _: tokens_of({})(), len(docs)),
        "ngrams": Step(lambda _: tokens_of({"ngram_range": (2, 2)})(), tokens),
        # Both start from the text: scikit-learn does not keep tokens.
        "fit_idf": Step(lambda _: TfidfVectorizer().fit(docs), tokens),
        "tf_idf_apply": Step(lambda state: state.transform(docs), tokens, lambda: TfidfVectorizer().fit(docs)),
    }


def category_encoders_steps(job):
    import category_encoders
    import pandas

    # With all columns a step takes minutes.
    few = SMALL + TEN_THOUSAND
    frame = pandas.read_parquet(job["criteo"], columns=["label", *few])
    label, texts, one = frame["label"], frame[few], frame[TEN_THOUSAND]
    rows = len(frame)

    def fit(encoder, data):
        return lambda *_: encoder().fit(data, label)

    woe = lambda: category_encoders.WOEEncoder(random_state=42)
    target = lambda: category_encoders.TargetEncoder(min_samples_leaf=20, smoothing=10)
    count = lambda: category_encoders.CountEncoder()
    steps = {}
    for name, encoder, short in (
        ("fit_woe", woe, "woe_apply"),
        ("fit_target_encoding", target, "target_encoding_apply"),
        ("fit_counts", count, "count_encoding_apply"),
    ):
        steps[name] = Step(fit(encoder, texts), rows * len(few))
        steps[short] = Step(lambda state: state.transform(texts), rows * len(few), fit(encoder, texts))
        if encoder is not count:
            steps[f"{short}_10k"] = Step(lambda state: state.transform(one), rows, fit(encoder, one))
    return steps


def optbinning_steps(job):
    import pyarrow.parquet as pq
    from optbinning import OptimalBinning

    table = pq.read_table(job["criteo"], columns=["label", *NUMBERS])
    label = table["label"].to_numpy()
    numbers = {name: table[name].to_numpy() for name in NUMBERS}
    rows = table.num_rows

    def fit():
        return {
            name: OptimalBinning(name=name, solver="cp", monotonic_trend="auto").fit(values, label)
            for name, values in numbers.items()
        }

    def apply(states):
        for name, state in states.items():
            state.transform(numbers[name], metric="woe", metric_missing="empirical")

    return {
        "fit_optimal_bins": Step(lambda _: fit(), rows * len(NUMBERS)),
        "woe_bin_apply": Step(apply, rows * len(NUMBERS), fit),
    }


def polars_steps(job):
    import polars as pl

    frame = pl.read_parquet(os.path.join(job["criteo"], "*.parquet")).rechunk()
    docs = pl.read_parquet(os.path.join(job["docs"], "*.parquet")).rechunk()
    tokens = docs.select(pl.col("body").str.to_lowercase().str.extract_all(r"\b\w\w+\b").alias("tokens"))
    rows = frame.height
    token_count = int(tokens["tokens"].list.len().sum())
    column = pl.col
    shares = [number / 10 for number in range(1, 10)]

    def quantiles(names):
        asked = [column(name).quantile(share).alias(f"{name} {share}") for name in names for share in shares]
        result = frame.select(asked)
        return {name: sorted({result[f"{name} {share}"][0] for share in shares}) for name in names}

    def cut(edges):
        return frame.select([column(name).cut(edges[name]).to_physical() for name in NUMBERS])

    def moments():
        return frame.select(
            [column(name).mean().alias(f"{name} mean") for name in NUMBERS]
            + [column(name).std(ddof=0).alias(f"{name} std") for name in NUMBERS]
        ).row(0, named=True)

    def medians():
        return frame.select([column(name).median() for name in NUMBERS]).row(0, named=True)

    def groups(names):
        return {
            name: frame.group_by(name).agg(pl.len().alias("rows"), column("label").sum().alias("events"))
            for name in names
        }

    def with_column(names, value):
        return {name: table.select(name, value.alias("value")) for name, table in groups(names).items()}

    def join(states):
        return [
            frame.select(name).join(state, on=name, how="left", maintain_order="left")["value"]
            for name, state in states.items()
        ]

    mean = frame["label"].mean()
    events, others = frame["label"].sum(), rows - frame["label"].sum()
    target = (column("events") + 20 * mean) / (column("rows") + 20)
    woe = (((column("events") + 1) / (events + 2)) / ((column("rows") - column("events") + 1) / (others + 2))).log()
    good, bad = (column("rows") - column("events")) / others, column("events") / events

    def numbered(names):
        return {
            name: frame.group_by(name)
            .agg(pl.len().alias("rows"))
            .sort(["rows", name], descending=[True, False])
            .with_row_index("value")
            .select(name, "value")
            for name in names
        }

    def counted(names):
        return {name: frame.group_by(name).agg(pl.len().alias("value")) for name in names}

    def information():
        both = column("events").is_between(1, column("rows") - 1)
        for table in groups(TEXTS).values():
            table.filter(both).select(((bad - good) * (bad / good).log()).sum())

    def auc():
        ranks = frame.select(column("i2").rank("average"), "label")
        total = ranks.filter(column("label") == 1)["i2"].sum()
        return (total - events * (events + 1) / 2) / (events * others)

    def binned():
        return [
            frame.select(column(name).cut(EDGES).to_physical().alias("bin"), "label")
            .group_by("bin")
            .agg(pl.len().alias("rows"), column("label").sum().alias("events"))
            for name in NUMBERS
        ]

    def document_frequencies():
        lists = tokens.select(column("tokens").list.unique())
        return lists.explode("tokens").group_by("tokens").agg(pl.len().alias("documents"))

    def scaled(state):
        return frame.select([(column(name) - state[f"{name} mean"]) / state[f"{name} std"] for name in NUMBERS])

    def extents():
        return frame.select(
            [column(name).min().alias(f"{name} min") for name in NUMBERS]
            + [column(name).max().alias(f"{name} max") for name in NUMBERS]
        )

    def quartiles():
        quarters = (0.25, 0.5, 0.75)
        return frame.select([column(name).quantile(at).alias(f"{name} {at}") for name in NUMBERS for at in quarters])

    all_numbers, all_texts, small = rows * len(NUMBERS), rows * len(TEXTS), rows * len(SMALL)
    hashed = lambda names: frame.select([column(name).hash() % BUCKETS for name in names])
    fixed = {name: EDGES for name in NUMBERS}
    return {
        "hash_bucket": Step(lambda _: hashed(TEXTS), all_texts),
        "hash_bucket_number": Step(lambda _: hashed(["id"]), rows),
        "hash_bucket_document": Step(lambda _: docs.select(column("body").hash() % BUCKETS), docs.height),
        "bucketize": Step(lambda _: cut(fixed), all_numbers),
        "fit_width_bins": Step(lambda _: extents(), all_numbers),
        "fit_quantile_bins": Step(lambda _: quantiles(NUMBERS), all_numbers),
        "bins_apply": Step(cut, all_numbers, lambda: quantiles(NUMBERS)),
        "binned_counts": Step(lambda _: binned(), all_numbers),
        "fit_minmax": Step(lambda _: extents(), all_numbers),
        "fit_robust": Step(lambda _: quartiles(), all_numbers),
        "fit_standard": Step(lambda _: moments(), all_numbers),
        "scale_apply": Step(scaled, all_numbers, moments),
        "fit_imputer": Step(lambda _: medians(), all_numbers),
        "impute_apply": Step(
            lambda state: frame.select([column(name).fill_null(state[name]) for name in NUMBERS]), all_numbers, medians
        ),
        "fit_woe": Step(lambda _: with_column(TEXTS, woe), all_texts),
        "woe_apply": Step(join, all_texts, lambda: with_column(TEXTS, woe)),
        "woe_apply_10k": Step(join, rows, lambda: with_column(TEN_THOUSAND, woe)),
        "iv": Step(lambda _: information(), all_texts),
        "auc": Step(lambda _: auc(), rows),
        "fit_target_encoding": Step(lambda _: with_column(TEXTS, target), all_texts),
        "target_encoding_apply": Step(join, all_texts, lambda: with_column(TEXTS, target)),
        "target_encoding_apply_10k": Step(join, rows, lambda: with_column(TEN_THOUSAND, target)),
        "fit_categorify": Step(lambda _: numbered(TEXTS), all_texts),
        "categorify_apply": Step(join, all_texts, lambda: numbered(TEXTS)),
        "categorify_apply_10k": Step(join, rows, lambda: numbered(TEN_THOUSAND)),
        "fit_one_hot": Step(lambda _: [frame[name].unique().sort() for name in SMALL], small),
        "one_hot_apply": Step(lambda _: frame.select(SMALL).to_dummies(), small),
        "fit_counts": Step(lambda _: counted(TEXTS), all_texts),
        "count_encoding_apply": Step(join, all_texts, lambda: counted(TEXTS)),
        "tokenize": Step(
            lambda _: docs.select(column("body").str.to_lowercase().str.extract_all(r"\b\w\w+\b")), docs.height
        ),
        "fit_idf": Step(lambda _: document_frequencies(), token_count),
    }


def spark_steps(job):
    from pyspark.ml import feature
    from pyspark.ml.evaluation import BinaryClassificationEvaluator
    from pyspark.sql import SparkSession, functions

    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.driver.memory", "8g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    job["cancel"] = spark.sparkContext.cancelAllJobs
    frame = spark.read.parquet(job["criteo"]).fillna(0.0, NUMBERS).cache()
    raw = spark.read.parquet(job["criteo"]).select("label", *NUMBERS).cache()
    docs = spark.read.parquet(job["docs"]).cache()
    rows = frame.count()
    raw.count()
    documents = docs.count()
    outputs = lambda names: [f"out_{name}" for name in names]
    vectors = feature.VectorAssembler(inputCols=NUMBERS, outputCol="v").transform(frame).select("v", "label").cache()
    vectors.count()
    words = feature.RegexTokenizer(inputCol="body", outputCol="tokens", pattern=r"(?U)\b\w\w+\b", gaps=False)
    tokens = words.transform(docs).select("tokens").cache()
    token_count = tokens.select(functions.sum(functions.size("tokens"))).first()[0]
    # The columns that end within the limit: those of few categories.
    few = ["c6", "c9", "c17", "c20", "c22"]

    def drain(result):
        # The sink takes every row and does nothing with it.
        result.write.format("noop").mode("overwrite").save()

    def apply(data, names):
        return lambda model: drain(model.transform(data).select(*names))

    def fit(model, data):
        return lambda *_: model.fit(data)

    quantiles = lambda: feature.QuantileDiscretizer(
        numBuckets=10, inputCols=NUMBERS, outputCols=outputs(NUMBERS), handleInvalid="keep"
    )
    scaler = feature.StandardScaler(inputCol="v", outputCol="out", withMean=True)
    imputer = feature.Imputer(strategy="median", inputCols=NUMBERS, outputCols=outputs(NUMBERS))
    indexer = lambda names: feature.StringIndexer(inputCols=names, outputCols=outputs(names), handleInvalid="keep")
    hasher = feature.FeatureHasher(inputCols=TEXTS, outputCol="out", numFeatures=BUCKETS)
    splits = [-float("inf"), *EDGES, float("inf")]
    bucketizer = feature.Bucketizer(
        splitsArray=[splits] * len(NUMBERS), inputCols=NUMBERS, outputCols=outputs(NUMBERS), handleInvalid="keep"
    )
    cached = {}

    def indexed(names):
        key = tuple(names)
        if key not in cached:
            cached[key] = indexer(names).fit(frame).transform(frame).select("label", *outputs(names)).cache()
            cached[key].count()
        return cached[key]

    def model_on_indexes(model, names):
        encoded = [f"encoded_{name}" for name in names]
        return model(inputCols=outputs(names), outputCols=encoded), encoded

    def target(names):
        options = {"labelCol": "label", "targetType": "binary", "smoothing": 20.0}
        return model_on_indexes(lambda **columns: feature.TargetEncoder(**columns, **options), names)

    def index_fit(model, names):
        return lambda *_: model(names)[0].fit(indexed(names))

    def index_apply(model, names):
        return lambda state: drain(state.transform(indexed(names)).select(*model(names)[1]))

    one_hot = lambda names: model_on_indexes(feature.OneHotEncoder, names)
    counter = feature.CountVectorizer(inputCol="tokens", outputCol="tf", vocabSize=1 << 18)
    idf = feature.IDF(inputCol="tf", outputCol="out")

    def fit_idf(*_):
        counts = counter.fit(tokens)
        return counts, idf.fit(counts.transform(tokens))

    def apply_idf(models):
        drain(models[1].transform(models[0].transform(tokens)).select("out"))

    def bucket(name):
        return functions.pmod(functions.hash(name), functions.lit(BUCKETS))

    all_numbers, all_texts, small = rows * len(NUMBERS), rows * len(TEXTS), rows * len(SMALL)
    evaluator = BinaryClassificationEvaluator(rawPredictionCol="i2", labelCol="label", numBins=0)
    minmax = feature.MinMaxScaler(inputCol="v", outputCol="out")
    robust = feature.RobustScaler(inputCol="v", outputCol="out")
    ngram = feature.NGram(n=2, inputCol="tokens", outputCol="out")
    return {
        "hash_bucket": Step(lambda _: drain(frame.select([bucket(name) for name in TEXTS])), all_texts),
        "hash_bucket_number": Step(lambda _: drain(frame.select(bucket("id"))), rows),
        "hash_bucket_document": Step(lambda _: drain(docs.select(bucket("body"))), documents),
        "feature_hash": Step(lambda _: drain(hasher.transform(frame).select("out")), all_texts),
        "bucketize": Step(lambda _: drain(bucketizer.transform(frame).select(*outputs(NUMBERS))), all_numbers),
        "fit_quantile_bins": Step(lambda _: quantiles().fit(frame), all_numbers),
        "bins_apply": Step(apply(frame, outputs(NUMBERS)), all_numbers, fit(quantiles(), frame)),
        "fit_minmax": Step(fit(minmax, vectors), all_numbers),
        "fit_robust": Step(fit(robust, vectors), all_numbers),
        "fit_standard": Step(fit(scaler, vectors), all_numbers),
        "scale_apply": Step(apply(vectors, ["out"]), all_numbers, fit(scaler, vectors)),
        "fit_imputer": Step(fit(imputer, raw), all_numbers),
        "impute_apply": Step(apply(raw, outputs(NUMBERS)), all_numbers, fit(imputer, raw)),
        "auc": Step(lambda _: evaluator.evaluate(frame.select("i2", "label")), rows),
        "fit_target_encoding": Step(index_fit(target, few), rows * len(few), lambda: indexed(few)),
        "target_encoding_apply": Step(index_apply(target, few), rows * len(few), index_fit(target, few)),
        "fit_categorify": Step(lambda _: indexer(TEXTS).fit(frame), all_texts),
        "categorify_apply": Step(apply(frame, outputs(TEXTS)), all_texts, fit(indexer(TEXTS), frame)),
        "categorify_apply_10k": Step(apply(frame, outputs(TEN_THOUSAND)), rows, fit(indexer(TEN_THOUSAND), frame)),
        "fit_one_hot": Step(index_fit(one_hot, SMALL), small, lambda: indexed(SMALL)),
        "one_hot_apply": Step(index_apply(one_hot, SMALL), small, index_fit(one_hot, SMALL)),
        "tokenize": Step(lambda _: drain(words.transform(docs).select("tokens")), documents),
        "ngrams": Step(lambda _: drain(ngram.transform(tokens).select("out")), token_count),
        "fit_idf": Step(fit_idf, token_count),
        "tf_idf_apply": Step(apply_idf, token_count, fit_idf),
    }


PEERS = {
    "sklearn": ("sklearn", sklearn_steps),
    "category_encoders": ("category_encoders", category_encoders_steps),
    "optbinning": ("optbinning", optbinning_steps),
    "polars": ("polars", polars_steps),
    "spark": ("pyspark", spark_steps),
}


def stop_step(_signal, _frame):
    raise StepLimit


def limited(work, limit_seconds, cancel):
    """The seconds that `work` takes, and its result. At the limit StepLimit ends it.

    Spark works in another process, where it would go on; so it is told to give up, and its call then fails. An alarm
    ends all else, as soon as the library's own code returns.
    """
    over = threading.Event()

    def give_up():
        over.set()
        cancel()

    timer = threading.Timer(limit_seconds, give_up) if cancel else None
    signal.alarm(limit_seconds + (GRACE_SECONDS if cancel else 0))
    if timer:
        timer.daemon = True
        timer.start()
    start = time.perf_counter()
    try:
        result = work()
        return time.perf_counter() - start, result
    except Exception as error:
        if over.is_set():
            raise StepLimit from error
        raise
    finally:
        signal.alarm(0)
        if timer:
            timer.cancel()


def measure(step, job):
    """The times of a step."""
    values = step.values() if callable(step.values) else step.values
    limit_seconds, cancel = job["limit_seconds"], job.get("cancel")
    seconds = []
    try:
        state = limited(step.prepare, limit_seconds * 2, cancel)[1] if step.prepare else None
        # Once to warm up, as Sluice does.
        for iteration in range(job["iterations"] + 1):
            gc.collect()
            taken, _ = limited(lambda: step.run(state), limit_seconds, cancel)
            if iteration > 0 or taken > LONG_SECONDS:
                seconds.append(taken)
            if taken > LONG_SECONDS:
                break
    except StepLimit:
        if not seconds:
            return {"values": values, "stopped_after_seconds": limit_seconds}
    except Exception as error:
        return {"values": values, "error": f"{type(error).__name__}: {error}"[:300]}
    return {"values": values, "seconds": seconds}


def outcome(job):
    package, steps_of = PEERS[job["peer"]]
    try:
        version = importlib.import_module(package).__version__
        steps = steps_of(job)
    except ImportError as error:
        return {"version": None, "unavailable": str(error), "steps": {}}
    signal.signal(signal.SIGALRM, stop_step)
    wanted = [name for name in job["steps"] if name in steps]
    return {"version": version, "unavailable": None, "steps": {name: measure(steps[name], job) for name in wanted}}


def main():
    # One core, the threads of libraries and of a Java machine included.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    result = outcome(job)
    with open(job["output"], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
