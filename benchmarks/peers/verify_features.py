"""Compares Sluice's feature functions with Python's libraries, row by row.

    python3 verify_features.py --sluice target/release/sluice --rows 20000 --master 'local-cluster[3]'

The data is generated from a seed. Encoders are fitted on the rows whose id is no multiple of five and applied to all, so
that they meet categories that the fit has not seen. Each check prints `ok NAME ROWS MAXDIFF` (for results that are one a
column, the number of columns), or `DIFFERS NAME` and the first rows that differ; a group of checks whose library is not
installed prints `skipped GROUP: PACKAGE`. The exit code is 1 if anything differs.
"""

import argparse
import csv
import importlib
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

GERMAN = Path(__file__).resolve().parents[2] / "examples/credit/germancredit.csv"
GERMAN_NUMBERS = [
    "duration_in_month",
    "credit_amount",
    "installment_rate_in_percentage_of_disposable_income",
    "present_residence_since",
    "age_in_years",
    "number_of_existing_credits_at_this_bank",
    "number_of_people_being_liable_to_provide_maintenance_for",
]
COLUMNS = {
    "id": "BIGINT",
    "y": "BIGINT",
    "normal": "DOUBLE",
    "skewed": "DOUBLE",
    "tied": "DOUBLE",
    "holes": "DOUBLE",
    "score": "DOUBLE",
    "weight": "DOUBLE",
    "whole": "INT",
    "city": "VARCHAR",
    "size": "VARCHAR",
    "body": "VARCHAR",
}
NUMBERS = ["normal", "skewed", "tied"]
TREND_NAMES = ["none", "ascending", "descending", "peak", "valley"]
FILES = 4
# More distinct numbers than --rows could sensibly ask for.
DISTINCT = 4194304


def generate(rows):
    """Rows as dicts; None is null. Without libraries, so that every library meets the same data."""
    draw = random.Random(20240229)
    cities = [f"city {number}" for number in range(200)] + ["Zürich", "東京", "a=b, \"c\""]
    shares = [1.0 / (rank + 1.0) for rank in range(len(cities))]
    chances = {city: draw.uniform(0.05, 0.7) for city in cities}
    letters = "abcdefghijklmnopqrstuvwxyzéß"
    words = ["".join(draw.choices(letters, k=draw.randint(1, 9))) for _ in range(600)] + ["İstanbul", "x_1", "42"]
    word_shares = [1.0 / (rank + 1.0) for rank in range(len(words))]
    data = []
    for row in range(rows):
        city = draw.choices(cities, shares)[0]
        normal = draw.gauss(3.0, 10.0)
        chance = chances[city] * 0.5 + 0.5 / (1.0 + math.exp(-abs(normal) / 5.0 + 2.0))
        y = int(draw.random() < chance)
        if row % 5 == 0 and draw.random() < 0.02:
            city = f"new {draw.randint(1, 5)}"
        body = "".join(
            (word.upper() if draw.random() < 0.1 else word) + draw.choice([" ", " ", " ", ", ", "-", ".  ", "\t"])
            for word in draw.choices(words, word_shares, k=draw.randint(0, 20))
        )
        data.append({
            "id": row,
            "y": y,
            "normal": normal,
            "skewed": math.exp(draw.gauss(2.0, 1.5) + y * 0.3),
            "tied": float(min(40, int(draw.expovariate(0.15)) + y)),
            "holes": None if draw.random() < 0.1 else draw.uniform(-1e6, 1e6) - y * 1e5,
            "score": round(draw.gauss(0.4 * y, 1.0), 2),
            "weight": round(draw.uniform(0.1, 5.0), 2),
            "whole": draw.randint(-(2**31), 2**31 - 1),
            "city": None if draw.random() < 0.04 else city,
            "size": draw.choices(["xs", "s", "m", "l", "xl", "xxl"], [40, 30, 20, 8, 1.9, 0.1])[0],
            # Never empty: in a CSV file that is null.
            "body": "the " + body,
        })
    return data


class SluiceError(Exception):
    pass


class Sluice:
    """Runs SQL through the binary, with a catalog of its own in a folder."""

    def __init__(self, binary, master, folder, data):
        self.command = [str(binary), "sql", "-q", "--master", master, "--format", "json", "-f", "-"]
        places = {"SLUICE_CATALOG__PATH": folder / "catalog", "SLUICE_WAREHOUSE__PATH": folder / "warehouse"}
        self.environment = {**os.environ, "SLUICE_BIN": str(binary), **{key: str(at) for key, at in places.items()}}
        self.folder = folder
        table = folder / "t"
        table.mkdir()
        for part in range(FILES):
            with open(table / f"part-{part}.csv", "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(data[part::FILES])
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        options = "OPTIONS ('format.has_header' 'true')"
        self.run(
            f"CREATE EXTERNAL TABLE t ({columns}) STORED AS CSV LOCATION '{table}/' {options}",
            f"CREATE EXTERNAL TABLE german STORED AS CSV LOCATION '{GERMAN}' {options}",
            "CREATE VIEW train AS SELECT * FROM t WHERE id % 5 <> 0",
        )

    def run(self, *statements):
        """The rows of each query, as dicts."""
        script = ";\n".join(statements) + ";\n"
        done = subprocess.run(
            self.command, input=script, env=self.environment, cwd=self.folder, capture_output=True, encoding="utf-8"
        )
        if done.returncode != 0:
            raise SluiceError(done.stderr.strip() + "\n" + script)
        results, place, text = [], 0, done.stdout
        while place < len(text.rstrip()):
            rows, place = json.JSONDecoder().raw_decode(text, place)
            results.append(rows)
            place += len(text[place:]) - len(text[place:].lstrip())
        return results

    def values(self, *expressions, table="t"):
        """One list of values for each expression, in the order of the ids."""
        picked = ", ".join(f"{expression} AS v{place}" for place, expression in enumerate(expressions))
        rows = self.run(f"SELECT id, {picked} FROM {table} ORDER BY id")[0]
        return [[row[f"v{place}"] for row in rows] for place in range(len(expressions))]

    def one(self, *expressions, table="t"):
        """The value of each expression over all rows."""
        picked = ", ".join(f"{expression} AS v{place}" for place, expression in enumerate(expressions))
        return list(self.run(f"SELECT {picked} FROM {table}")[0][0].values())


class Report:
    def __init__(self):
        self.ok = self.differ = self.skipped = 0

    def compare(self, name, found, wanted, tolerance=1e-9):
        """Two lists of values, or of lists of values: numbers may differ by the tolerance, all else is equal."""
        found, wanted = list(found), list(wanted)
        if len(found) != len(wanted):
            return self.differs(name, [f"{len(found)} rows instead of {len(wanted)}"])
        most, lines = 0.0, []
        for row, (ours, theirs) in enumerate(zip(found, wanted)):
            difference = distance(ours, theirs, tolerance)
            if difference is None:
                lines.append(f"row {row}: {ours} instead of {theirs}")
            else:
                most = max(most, difference)
        if lines:
            return self.differs(name, [*lines[:3], f"{len(lines)} of {len(found)} rows"])
        self.ok += 1
        print(f"ok {name} {len(found)} {most:.1e}", flush=True)

    def differs(self, name, lines):
        self.differ += 1
        print(f"DIFFERS {name}", *lines, sep="\n  ", flush=True)

    def skip(self, name, package):
        self.skipped += 1
        print(f"skipped {name}: {package}", flush=True)


def distance(found, wanted, tolerance):
    """How far apart two values are, or None if that is too far."""
    if isinstance(found, (list, tuple)) and isinstance(wanted, (list, tuple)):
        if len(found) != len(wanted):
            return None
        parts = [distance(ours, theirs, tolerance) for ours, theirs in zip(found, wanted)]
        return None if None in parts else max(parts, default=0.0)
    missing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in (found, wanted)]
    if any(missing) or isinstance(found, str) or isinstance(wanted, str):
        return 0.0 if all(missing) or found == wanted else None
    near = math.isclose(found, wanted, rel_tol=tolerance, abs_tol=tolerance * 1e-3)
    return abs(float(found) - float(wanted)) if near else None


def sparse_rows(matrix):
    """The places and values of each row of scipy's matrix, zeros left out."""
    matrix = matrix.tocsr()
    matrix.sort_indices()
    bounds = zip(matrix.indptr, matrix.indptr[1:])
    rows = (zip(matrix.indices[start:end].tolist(), matrix.data[start:end].tolist()) for start, end in bounds)
    return [[[place, float(value)] for place, value in row if value != 0] for row in rows]


def our_sparse_rows(vectors):
    rows = (zip(vector["indices"], vector["values"]) for vector in vectors)
    return [[[place, value] for place, value in row if value != 0] for row in rows]


class Data:
    """The generated rows, by column."""

    def __init__(self, rows):
        self.rows = generate(rows)
        self.german = list(csv.DictReader(GERMAN.read_text(encoding="utf-8").splitlines()))

    def column(self, name, train=False):
        return [row[name] for row in self.rows if not train or row["id"] % 5 != 0]

    def numbers(self, name, train=False):
        """One column as scikit-learn wants it; NaN is null."""
        import numpy as np

        return np.array([math.nan if value is None else value for value in self.column(name, train)]).reshape(-1, 1)

    def categories(self, name, train=False):
        return objects(self.column(name, train)).reshape(-1, 1)

    def frame(self, name, train=False):
        import pandas

        return pandas.DataFrame({name: pandas.Series(self.column(name, train), dtype=object)})


def objects(values):
    import numpy as np

    return np.array(values, dtype=object)


def bins(sluice, data, report):
    from sklearn.preprocessing import KBinsDiscretizer

    for strategy, fit in [("quantile", "quantile"), ("uniform", "width"), ("kmeans", "kmeans")]:
        options = {"quantile_method": "averaged_inverted_cdf"} if strategy == "quantile" else {}
        states = [f"(SELECT fit_{fit}_bins({name}, 9) FROM train)" for name in NUMBERS]
        edges = sluice.one(*[f"{state}['edges']" for state in states], table="(VALUES (1)) AS one")
        codes = sluice.values(*[f"bins_apply({state}, {name})" for state, name in zip(states, NUMBERS)])
        wanted_edges, wanted_codes = [], []
        for name in NUMBERS:
            model = KBinsDiscretizer(9, encode="ordinal", strategy=strategy, subsample=None, **options)
            model.fit(data.numbers(name, train=True))
            wanted_edges.append(model.bin_edges_[0].tolist())
            wanted_codes.append(model.transform(data.numbers(name))[:, 0].tolist())
        report.compare(f"KBinsDiscretizer_{strategy}_edges", edges, wanted_edges)
        report.compare(f"KBinsDiscretizer_{strategy}", zip(*codes), zip(*wanted_codes))


def scalers(sluice, data, report):
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    names = [*NUMBERS, "holes"]
    for scaler, fit, options in [
        (StandardScaler(), "fit_standard({x})", ""),
        (MinMaxScaler((-1, 2)), "fit_minmax({x})", ", lower => -1, upper => 2"),
        (MinMaxScaler(clip=True), "fit_minmax({x})", ", clip => true"),
        (MaxAbsScaler(), "fit_maxabs({x})", ""),
        (RobustScaler(), "fit_robust({x})", ""),
        (RobustScaler(quantile_range=(10, 80)), "fit_robust({x}, 0.1, 0.8)", ""),
    ]:
        applied = [f"scale_apply((SELECT {fit.format(x=x)} FROM train), {x}{options})" for x in names]
        found = sluice.values(*applied)
        wanted = [
            scaler.fit(data.numbers(x, train=True)).transform(data.numbers(x))[:, 0].tolist() for x in names
        ]
        given = str(scaler).removesuffix("()").replace(" ", "")
        report.compare(given, zip(*found), zip(*wanted))


def one_hot(sluice, data, report):
    from sklearn.preprocessing import OneHotEncoder

    for name, options, encoder in [
        ("plain", "", OneHotEncoder(handle_unknown="ignore")),
        ("first", ", drop => 'first'", OneHotEncoder(handle_unknown="ignore", drop="first")),
        (
            "infrequent",
            ", min_frequency => 0.01, unknown => 'infrequent'",
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.01),
        ),
        (
            "max_categories",
            ", max_categories => 10, unknown => 'infrequent'",
            OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=10),
        ),
    ]:
        [found] = sluice.values(f"one_hot_apply((SELECT fit_one_hot(city{options}) FROM train), city)")
        wanted = encoder.fit(data.categories("city", train=True)).transform(data.categories("city"))
        report.compare(f"OneHotEncoder_{name}", our_sparse_rows(found), sparse_rows(wanted))


def target_encoders(sluice, data, report):
    from sklearn.preprocessing import TargetEncoder

    for name, y, options, encoder in [
        ("auto", "y", "", TargetEncoder(target_type="binary")),
        ("m", "y", ", smooth => 12.5", TargetEncoder(smooth=12.5, target_type="binary")),
        ("continuous", "skewed", ", target => 'continuous'", TargetEncoder(target_type="continuous")),
    ]:
        state = f"(SELECT fit_target_encoding(city, {y}{options}) FROM train)"
        [found] = sluice.values(f"target_encoding_apply({state}, city)")
        encoder.fit(data.categories("city", train=True), data.column(y, train=True))
        wanted = encoder.transform(data.categories("city"))[:, 0].tolist()
        report.compare(f"TargetEncoder_{name}", found, wanted)
    state = "(SELECT fit_target_encoding(city, size, target => 'multiclass') FROM train)"
    [found] = sluice.values(f"target_encoding_apply({state}, city)")
    encoder = TargetEncoder(target_type="multiclass")
    encoder.fit(data.categories("city", train=True), data.column("size", train=True))
    wanted = encoder.transform(data.categories("city")).tolist()
    report.compare("TargetEncoder_multiclass", found, wanted)


def texts(sluice, data, report):
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    train, bodies = data.column("body", train=True), data.column("body")
    limits = {"stop_words": ["the"], "min_df": 3, "max_df": 0.3}
    # scikit-learn leaves it to chance which of the terms with equal counts are within max_features.
    counts = sorted(CountVectorizer(**limits).fit_transform(train).sum(axis=0).tolist()[0], reverse=True)
    most = max(place for place in range(1, min(200, len(counts))) if counts[place - 1] > counts[place])
    for name, tokens, fit, apply, options in [
        ("default", "tokenize(body)", "", "norm => 'l2'", {}),
        ("sublinear", "tokenize(body)", "", "norm => 'l2', tf => 'sublinear'", {"sublinear_tf": True}),
        ("no_norm", "tokenize(body)", "", "norm => 'none'", {"norm": None}),
        ("l1", "tokenize(body)", "", "norm => 'l1'", {"norm": "l1"}),
        (
            "char_wb",
            "tokenize(body, kind => 'char_wb', lo => 2, hi => 3)",
            "",
            "norm => 'l2'",
            {"analyzer": "char_wb", "ngram_range": (2, 3)},
        ),
        (
            "char",
            "tokenize(body, kind => 'char', lo => 3, hi => 3)",
            "",
            "norm => 'l2'",
            {"analyzer": "char", "ngram_range": (3, 3)},
        ),
        ("ngrams", "ngrams(tokenize(body), 1, 2)", "", "norm => 'l2'", {"ngram_range": (1, 2)}),
        (
            "limits",
            "tokenize(body, stop_words => ['the'])",
            f", min_df => 3, max_df => 0.3, max_features => {most}",
            "norm => 'l2'",
            {**limits, "max_features": most},
        ),
    ]:
        state = f"(SELECT fit_idf({tokens}, idf => 'sklearn', ordering => 'term'{fit}) FROM train)"
        [found] = sluice.values(f"tf_idf_apply({state}, {tokens}, {apply})")
        wanted = TfidfVectorizer(**options).fit(train).transform(bodies)
        report.compare(f"TfidfVectorizer_{name}", our_sparse_rows(found), sparse_rows(wanted))
    state = "(SELECT fit_idf(tokenize(body), ordering => 'term') FROM train)"
    [found] = sluice.values(f"count_vectorize_apply({state}, tokenize(body))")
    wanted = CountVectorizer().fit(train).transform(bodies)
    report.compare("CountVectorizer", our_sparse_rows(found), sparse_rows(wanted))


def hashes(sluice, data, report):
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.utils import murmurhash3_32

    def bucket(value, seed, n):
        return None if value is None else murmurhash3_32(value, seed) % n

    def sklearn_bucket(value, n):
        return None if value is None else abs(murmurhash3_32(value, 0)) % n

    def bytes_of(size):
        return [value.to_bytes(size, "little", signed=True) for value in data.column("whole")]

    cities = data.column("city")
    found = sluice.values(
        "hash_bucket(city, 1000003)",
        "hash_bucket(whole, 1000)",
        "hash_bucket(CAST(whole AS BIGINT), 1000)",
        "hash_bucket(body, 97, hash => 'spark_v3')",
        "hash_bucket(city, 262144, hash => 'sklearn')",
        "hash_bucket(whole, 1000, hash => 'sklearn')",
        "hash_bucket(city, 1000, hash => 'sklearn', salt => 'city')",
    )
    wanted = [
        [bucket(city, 42, 1000003) for city in cities],
        [bucket(value, 42, 1000) for value in bytes_of(4)],
        [bucket(value, 42, 1000) for value in bytes_of(8)],
        [bucket(body, 42, 97) for body in data.column("body")],
        [sklearn_bucket(city, 262144) for city in cities],
        [sklearn_bucket(str(value), 1000) for value in data.column("whole")],
        [sklearn_bucket(city and f"city={city}", 1000) for city in cities],
    ]
    report.compare("murmurhash3_spark_v3", zip(*found[:4]), zip(*wanted[:4]))
    report.compare("murmurhash3_sklearn", zip(*found[4:]), zip(*wanted[4:]))
    rows = [[f"size={row['size']}", *row["body"].split()] for row in data.rows]
    tokens = "tokenize(body, kind => 'regex', lowercase => false)"
    row_sql = f"array_concat([concat('size=', size)], {tokens})"
    names = ("size", "city", "normal", "tied")
    dicts = [{name: row[name] for name in names if row[name] is not None} for row in data.rows]
    row_struct = "named_struct('size', size, 'city', city, 'normal', normal, 'tied', tied)"
    strings, structs = sluice.values(
        f"feature_hash({row_sql}, 512, signed => true, hash => 'sklearn')",
        f"feature_hash({row_struct}, 64, signed => true, hash => 'sklearn')",
    )
    wanted = FeatureHasher(512, input_type="string").transform(rows)
    report.compare("FeatureHasher_strings", our_sparse_rows(strings), sparse_rows(wanted))
    wanted = FeatureHasher(64).transform(dicts)
    report.compare("FeatureHasher_dicts", our_sparse_rows(structs), sparse_rows(wanted))


def polynomials(sluice, data, report):
    from sklearn.preprocessing import PolynomialFeatures, normalize

    numbers = [[row[name] for name in NUMBERS] for row in data.rows]
    listed = f"[{', '.join(NUMBERS)}]"
    degree, crosses, l1, l2 = sluice.values(
        f"polynomial({listed}, 3)",
        f"polynomial({listed}, 2, interaction_only => true, include_bias => false)",
        f"l1_normalize({listed})",
        f"l2_normalize({listed})",
    )
    report.compare("PolynomialFeatures_3", degree, PolynomialFeatures(3).fit_transform(numbers).tolist())
    wanted = PolynomialFeatures(2, interaction_only=True, include_bias=False).fit_transform(numbers)
    report.compare("PolynomialFeatures_interaction_only", crosses, wanted.tolist())
    report.compare("normalize_l1", l1, normalize(numbers, "l1").tolist())
    report.compare("normalize_l2", l2, normalize(numbers, "l2").tolist())


def rankings(sluice, data, report):
    from scipy.stats import ks_2samp
    from sklearn.metrics import roc_auc_score

    y, weight = data.column("y"), data.column("weight")
    names = ["score", *NUMBERS]
    plain = sluice.one(*[f"auc({name}, y, max_distinct => {DISTINCT})" for name in names])
    weighted = sluice.one(*[f"auc({name}, y, weight, max_distinct => {DISTINCT})" for name in names])
    distances = sluice.one(*[f"ks({name}, y, max_distinct => {DISTINCT})" for name in names])
    columns = [data.column(name) for name in names]
    report.compare("roc_auc_score", plain, [roc_auc_score(y, x) for x in columns])
    report.compare("roc_auc_score_weighted", weighted, [roc_auc_score(y, x, sample_weight=weight) for x in columns])
    parts = [[[value for value, label in zip(x, y) if label == side] for side in (0, 1)] for x in columns]
    report.compare("ks_2samp", distances, [float(ks_2samp(*part).statistic) for part in parts])


def category_encoders(sluice, data, report):
    import category_encoders as ce

    train, frame = data.frame("city", train=True), data.frame("city")
    label, all_labels = data.column("y", train=True), data.column("y")

    def compare(name, encoder, expression):
        [found] = sluice.values(expression)
        wanted = encoder.fit(train, label).transform(frame)["city"].tolist()
        report.compare(name, found, wanted)

    woe = "(SELECT fit_woe(city, y, alpha => 1.0, singletons => 'zero') FROM train)"
    compare("WOEEncoder", ce.WOEEncoder(cols=["city"], regularization=1.0), f"woe_apply({woe}, city)")
    for name, encoder, options in [
        ("TargetEncoder_sigmoid", ce.TargetEncoder(cols=["city"]), "method => 'sigmoid'"),
        (
            "TargetEncoder_sigmoid_steep",
            ce.TargetEncoder(cols=["city"], min_samples_leaf=3, smoothing=0.5),
            "method => 'sigmoid', min_samples_leaf => 3, smoothing => 0.5",
        ),
        ("MEstimateEncoder", ce.MEstimateEncoder(cols=["city"], m=4.0), "method => 'm_estimate', smooth => 4.0"),
        ("JamesSteinEncoder", ce.JamesSteinEncoder(cols=["city"]), "method => 'james_stein'"),
    ]:
        state = f"(SELECT fit_target_encoding(city, y, {options}) FROM train)"
        compare(name, encoder, f"target_encoding_apply({state}, city)")
    state, counts = "(SELECT fit_target_encoding(city, y) FROM train)", "(SELECT fit_counts(city) FROM train)"
    for name, encoder, expression in [
        ("CatBoostEncoder_transform", ce.CatBoostEncoder(cols=["city"], a=2), f"catboost_apply({state}, city, a => 2)"),
        (
            "LeaveOneOutEncoder_transform",
            ce.LeaveOneOutEncoder(cols=["city"]),
            f"leave_one_out_apply({state}, city, NULL)",
        ),
        ("CountEncoder", ce.CountEncoder(cols=["city"]), f"count_encoding_apply({counts}, city)"),
        (
            "CountEncoder_normalize",
            ce.CountEncoder(cols=["city"], normalize=True),
            f"count_encoding_apply({counts}, city, normalize => true)",
        ),
    ]:
        compare(name, encoder, expression)
    whole = "(SELECT fit_target_encoding(city, y) FROM t)"
    ordered, left_out = sluice.values(
        "catboost_encoding(city, y) OVER (ORDER BY id)", f"leave_one_out_apply({whole}, city, y)"
    )
    wanted = ce.CatBoostEncoder(cols=["city"]).fit_transform(frame, all_labels)["city"]
    report.compare("CatBoostEncoder_fit_transform", ordered, wanted.tolist())
    wanted = ce.LeaveOneOutEncoder(cols=["city"]).fit_transform(frame, all_labels)["city"]
    report.compare("LeaveOneOutEncoder_fit_transform", left_out, wanted.tolist())


def optimal_numbers(sluice, data, report):
    from optbinning import OptimalBinning

    random_columns = {name: data.numbers(name)[:, 0] for name in [*NUMBERS, "holes"]}
    german = {name: [float(row[name]) for row in data.german] for name in GERMAN_NUMBERS}
    bad = [int(row["creditability"] == "bad") for row in data.german]
    for place, table, y, columns, labels in [
        ("random", "t", "y", random_columns, data.column("y")),
        ("german", "german", "creditability = 'bad'", german, bad),
    ]:
        for trend in TREND_NAMES:
            options = f"trend => '{trend}', max_distinct => {DISTINCT}"
            fits = ", ".join(f"fit_optimal_bins({name}, {y}, {options}) AS {name}" for name in columns)
            shown = [f"[{name}['splits'], [binning_summary({name})['iv']]]" for name in columns]
            found = sluice.one(*shown, table=f"(SELECT {fits} FROM {table}) AS q")
            wanted = []
            for name, values in columns.items():
                model = OptimalBinning(name, monotonic_trend=None if trend == "none" else trend).fit(values, labels)
                model.binning_table.build()
                wanted.append([model.splits.tolist(), [model.binning_table.iv]])
            splits, wanted_splits = ([pair[0] for pair in pairs] for pairs in (found, wanted))
            report.compare(f"OptimalBinning_{trend}_{place}_splits", splits, wanted_splits)
            values, wanted_values = ([pair[1] for pair in pairs] for pairs in (found, wanted))
            report.compare(f"OptimalBinning_{trend}_{place}_iv", values, wanted_values, tolerance=1e-6)


def optimal_categories(sluice, data, report):
    from optbinning import OptimalBinning

    texts = [name for name in data.german[0] if name not in [*GERMAN_NUMBERS, "creditability"]]
    german = {name: [row[name] for row in data.german] for name in texts}
    bad = [int(row["creditability"] == "bad") for row in data.german]
    # optbinning leaves the order of categories with equal event rates to chance: they are made null.
    kept = cities_of_distinct_rates(data)
    random_columns = {
        "city": [city if city in kept else None for city in data.column("city")],
        "size": data.column("size"),
    }
    listed = ", ".join(f"'{city}'" for city in sorted(kept))
    table = f"(SELECT y, size, CASE WHEN city IN ({listed}) THEN city END AS city FROM t) AS kept"
    for place, table, y, columns, labels in [
        ("random", table, "y", random_columns, data.column("y")),
        ("german", "german", "creditability = 'bad'", german, bad),
    ]:
        for trend in ("none", "ascending"):
            fits = ", ".join(f"fit_optimal_categories({name}, {y}, trend => '{trend}') AS {name}" for name in columns)
            shown = [
                f"named_struct('groups', {name}['groups'], 'categories', {name}['categories'], "
                f"'iv', binning_summary({name})['iv'])"
                for name in columns
            ]
            found = sluice.one(*shown, table=f"(SELECT {fits} FROM {table}) AS q")
            wanted_bins, wanted_values = [], []
            for name, values in columns.items():
                model = OptimalBinning(name, dtype="categorical", monotonic_trend=None if trend == "none" else trend)
                model.fit(objects(values), labels)
                model.binning_table.build()
                wanted_bins.append([sorted(group) for group in model.splits])
                wanted_values.append(model.binning_table.iv)
            report.compare(f"OptimalBinning_categories_{trend}_{place}", map(category_bins, found), wanted_bins)
            values = [state["iv"] for state in found]
            report.compare(f"OptimalBinning_categories_{trend}_{place}_iv", values, wanted_values, tolerance=1e-6)


def cities_of_distinct_rates(data):
    counts = {}
    for city, y in zip(data.column("city"), data.column("y")):
        rows, events = counts.get(city, (0, 0))
        counts[city] = (rows + 1, events + y)
    rates = {city: events / rows for city, (rows, events) in counts.items() if city is not None}
    often = Counter(rates.values())
    return {city for city, rate in rates.items() if often[rate] == 1}


def category_bins(state):
    """The categories of each bin, in order. Null has a bin of its own, which optbinning does not list."""
    groups = {}
    for group, category in zip(state["groups"], state["categories"]):
        if category["value"] is not None:
            groups.setdefault(group, []).append(category["value"])
    return [sorted(groups[group]) for group in sorted(groups)]


GROUPS = [
    (bins, ["sklearn"]),
    (scalers, ["sklearn"]),
    (one_hot, ["sklearn"]),
    (target_encoders, ["sklearn"]),
    (texts, ["sklearn"]),
    (hashes, ["sklearn"]),
    (polynomials, ["sklearn"]),
    (rankings, ["sklearn", "scipy"]),
    (category_encoders, ["category_encoders"]),
    (optimal_numbers, ["optbinning"]),
    (optimal_categories, ["optbinning"]),
]


def missing_package(modules):
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            return "scikit-learn" if module == "sklearn" else module
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default="sluice", help="the binary")
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--master", default="local[*]", help="where Sluice runs")
    parser.add_argument("--only", help="groups of checks, with commas: " + ", ".join(run.__name__ for run, _ in GROUPS))
    given = parser.parse_args()
    binary = Path(given.sluice).resolve() if os.sep in given.sluice else given.sluice
    chosen = given.only.split(",") if given.only else [run.__name__ for run, _ in GROUPS]
    warnings.simplefilter("ignore")
    report, data = Report(), Data(given.rows)
    with tempfile.TemporaryDirectory(prefix="sluice-verify-") as folder:
        sluice = Sluice(binary, given.master, Path(folder), data.rows)
        for run, modules in GROUPS:
            if run.__name__ not in chosen:
                continue
            if package := missing_package(modules):
                report.skip(run.__name__, package)
                continue
            try:
                run(sluice, data, report)
            except SluiceError as error:
                report.differs(run.__name__, str(error).splitlines())
    total = report.ok + report.differ + report.skipped
    print(f"{total} checks: {report.ok} ok, {report.differ} differ, {report.skipped} skipped")
    sys.exit(1 if report.differ else 0)


if __name__ == "__main__":
    main()
