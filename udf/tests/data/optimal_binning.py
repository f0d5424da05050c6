"""Writes optimal_binning.json: what scikit-learn and optbinning give for the cases that the tests of optimal binning
compare with.

    pip install optbinning==1.0.0 scikit-learn==1.9.1
    python optimal_binning.py path/to/germancredit.csv
"""

import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from optbinning import OptimalBinning
from optbinning.binning.cp import BinningCP
from optbinning.binning.prebinning import PreBinning
from sklearn.tree import DecisionTreeClassifier, _tree

warnings.filterwarnings("ignore")
TRENDS = [None, "ascending", "descending", "peak", "valley"]
SHAPES = [
    lambda x: x,
    lambda x: -x,
    lambda x: -(x**2),
    lambda x: x**2,
    lambda x: np.sin(2 * x),
    lambda x: x + np.sin(3 * x),
]


def sample(seed, rows):
    """The data of optbin_dp.py."""
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    y = (random.random(rows) < 1 / (1 + np.exp(2 - SHAPES[seed](x)))).astype(int)
    return x, y


def solver_cases():
    """Counts of the pre-bins, and the number of pre-bins in each bin of the CP solver's solution."""
    cases = []
    for seed in range(6):
        x, y = sample(seed, 20000)
        edges = PreBinning("classification", "cart", 20, 1000).fit(x, y).splits
        number = np.digitize(x, edges)
        count = lambda label: [int(((number == bin) & (y == label)).sum()) for bin in range(len(edges) + 1)]
        case = {"events": count(1), "non_events": count(0), "solutions": []}
        for trend in TRENDS:
            fitted = OptimalBinning(monotonic_trend=trend, solver="cp").fit(x, y)
            fitted.binning_table.build()
            cuts = [int(np.flatnonzero(edges == split)[0]) + 1 for split in fitted.splits]
            case["solutions"].append({"trend": trend or "none", "cuts": cuts, "iv": float(fitted.binning_table.iv)})
        cases.append(case)
    return cases


def tree_cases():
    """Best-first trees on one feature, with many ties, few values, and leaves of at least a given size."""
    cases = []
    for seed in range(24):
        random = np.random.default_rng(100 + seed)
        rows = int(random.integers(20, 400))
        digits = int(random.integers(0, 4))
        x = np.round(random.normal(size=rows) * 10.0 ** random.integers(-1, 4), digits)
        x = x + 0.0
        y = (random.random(rows) < random.uniform(0.1, 0.9)).astype(int)
        if seed % 3 == 0:
            y = (random.random(rows) < 1 / (1 + np.exp(-np.sin(x)))).astype(int)
        leaves = int(random.integers(2, 30))
        least = int(random.integers(1, max(2, rows // 10)))
        tree = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=least, random_state=0)
        splits = np.unique(tree.fit(x.reshape(-1, 1), y).tree_.threshold)
        splits = splits[splits != _tree.TREE_UNDEFINED]
        cases.append({
            "x": x.tolist(), "y": y.tolist(), "leaves": leaves, "least": least, "splits": splits.tolist(),
        })
    return cases


def table_of(fitted):
    table = fitted.binning_table.build(add_totals=False)
    return {
        "events": table["Event"].astype(int).tolist(),
        "non_events": table["Non-event"].astype(int).tolist(),
        "woe": table["WoE"].astype(float).tolist(),
        "iv": table["IV"].astype(float).tolist(),
        "js": table["JS"].astype(float).tolist(),
    }


def solution(x, y, kind, **options):
    fitted = OptimalBinning(dtype=kind, solver="cp", **options).fit(x, y)
    table = fitted.binning_table
    rows = table_of(fitted)
    if sum(events > 0 and non_events > 0 for events, non_events in zip(rows["events"], rows["non_events"])) > 1:
        table.analysis(print_output=False)
    result = {"iv": float(table.iv), "status": fitted.status, "table": rows}
    result["summary"] = {
        "gini": float(table.gini), "js": float(table.js), "hellinger": float(table.hellinger),
        "triangular": float(table.triangular), "ks": float(table.ks), "hhi": float(table._hhi),
        "hhi_norm": float(table._hhi_norm),
    }
    if kind == "numerical":
        result["splits"] = [float(split) for split in fitted.splits]
    else:
        result["bins"] = [[str(value) for value in bin] for bin in fitted.splits]
    return result


def german_cases(frame, y):
    cases = []
    for column in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        kind = "numerical" if numeric else "categorical"
        x = frame[column].to_numpy(dtype=float) if numeric else frame[column].to_numpy(dtype=object)
        for trend in TRENDS if numeric else TRENDS[:2]:
            case = solution(x, y, kind, monotonic_trend=trend)
            cases.append({"column": column, "kind": kind, "trend": trend or "none", **case})
    return cases


def option_cases(frame, y):
    """Constraints, one at a time. The CP model of an ascending or descending trend has a shortcut that forbids splits
    between pre-bins against the trend, which cuts off solutions under constraints; its flag for scenarios leaves out
    the shortcut and nothing else, so that the solver finds the optimum."""
    plain = BinningCP.__init__

    def without_shortcut(self, *arguments):
        plain(self, *arguments)
        self._is_scenario_binning = True

    BinningCP.__init__ = without_shortcut
    names = {
        "min_n_bins": "min_bins", "max_n_bins": "max_bins", "min_bin_size": "min_bin_size",
        "min_bin_n_event": "min_events", "min_bin_n_nonevent": "min_nonevents",
        "min_event_rate_diff": "min_rate_difference", "max_pvalue": "max_p_value", "max_n_prebins": "max_prebins",
        "min_prebin_size": "min_prebin_size", "prebinning_method": "prebinning", "cat_cutoff": "cat_cutoff",
    }
    variants = [
        {"max_n_bins": 3}, {"min_n_bins": 6}, {"min_n_bins": 3, "max_n_bins": 4}, {"min_bin_size": 0.15},
        {"min_bin_n_event": 60}, {"min_bin_n_nonevent": 150}, {"min_event_rate_diff": 0.08}, {"max_pvalue": 0.05},
        {"max_n_prebins": 8}, {"min_prebin_size": 0.02}, {"prebinning_method": "quantile"},
        {"prebinning_method": "quantile", "max_n_prebins": 7},
    ]
    cases = []
    for column in ["credit_amount", "age_in_years", "duration_in_month"]:
        x = frame[column].to_numpy(dtype=float)
        for variant in variants:
            for trend in TRENDS:
                case = solution(x, y, "numerical", monotonic_trend=trend, **variant)
                options = {names[name]: value for name, value in variant.items()}
                cases.append({
                    "column": column, "kind": "numerical", "trend": trend or "none", "options": options, **case,
                })
    for column in ["purpose", "present_employment_since"]:
        x = frame[column].to_numpy(dtype=object)
        for variant in [{"cat_cutoff": 0.05}, {"max_n_bins": 3}, {"cat_cutoff": 0.1, "max_n_bins": 2}]:
            for trend in TRENDS[:2]:
                case = solution(x, y, "categorical", monotonic_trend=trend, **variant)
                options = {names[name]: value for name, value in variant.items()}
                cases.append({
                    "column": column, "kind": "categorical", "trend": trend or "none", "options": options, **case,
                })
    return cases


def special_case(frame, y):
    """Every seventh value of credit_amount is missing, every eleventh -1 and every thirteenth -2."""
    x = frame["credit_amount"].to_numpy(dtype=float)
    place = np.arange(len(x))
    x[place % 13 == 0] = -2
    x[place % 11 == 0] = -1
    x[place % 7 == 0] = math.nan
    return solution(x, y, "numerical", monotonic_trend="peak", special_codes={"first": -1, "second": -2})


def main():
    frame = pd.read_csv(sys.argv[1])
    y = (frame.pop("creditability") == "bad").to_numpy(dtype=int)
    fixture = {
        "solver": solver_cases(),
        "trees": tree_cases(),
        "german": german_cases(frame, y),
        "special": special_case(frame, y),
        "options": option_cases(frame, y),
    }
    lines = ",\n".join(
        f"{json.dumps(key)}: " + (
            "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]" if isinstance(value, list)
            else json.dumps(value)
        )
        for key, value in fixture.items()
    )
    Path(__file__).with_suffix(".json").write_text("{\n" + lines + "\n}\n")


main()
