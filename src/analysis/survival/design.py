"""Rows of counts, checked, and their covariates as columns of numbers: what the regression models start from.

One row stands for ``weight`` members who are alike in every column: the covariates, ``entry_days`` (0: watched from the
origin; e > 0: at risk only after day e), ``duration_days``, and ``event`` (1 left, 0 still there). A table without
``entry_days`` has no late entrants; one without ``weight`` holds one member a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One covariate of a model: a number where ``levels`` is empty, else a category, its reference first."""

    covariate: str
    levels: tuple[Any, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """What the covariate's coefficients are called."""
        return tuple(f"{self.covariate}={level}" for level in self.levels[1:]) or (self.covariate,)

    def encode(self, values: pd.Series) -> Floats:
        """Return one column of numbers per coefficient.

        Raises
        ------
        SchemaError
            A category that the model has not seen (it is never taken for the reference), or not a number.
        """
        if self.levels:
            code = pd.Index(self.levels, dtype=object).get_indexer(values.astype(object))
            self._refuse(code < 0, "a level that the model has not seen", "Fit the model again with it")
            return (code[:, None] == np.arange(1, len(self.levels))).astype(float)
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
        self._refuse(~np.isfinite(numbers), "not a number", "Leave these rows out")
        return numbers[:, None]

    def _refuse(self, wrong: NDArray[np.bool_], rule: str, remedy: str) -> None:
        if wrong.any():
            n_rows = int(wrong.sum())
            problem = Problem(file="rows", column=self.covariate, rule=rule, n_rows=n_rows, remedy=remedy)
            raise SchemaError([problem])


@dataclass(frozen=True, kw_only=True, eq=False)
class Times:
    """When the members of each row came under watch and left, and how many they are.

    ``entry`` is −1 for those watched from the origin, so that all are at risk on the days in (entry, duration].
    """

    entry: Floats
    duration: Floats
    event: Floats
    weight: Floats

    @property
    def n(self) -> int:
        """Members."""
        return int(np.rint(self.weight.sum()))

    @property
    def n_events(self) -> int:
        """Members who left."""
        return int(np.rint(self.weight @ self.event))

    @property
    def late(self) -> NDArray[np.bool_]:
        """Rows that came under watch after the origin."""
        return self.entry >= 0


def read_times(rows: pd.DataFrame) -> Times:
    """Return the times of the rows.

    Raises
    ------
    SchemaError
        A column is missing, or a value impossible.
    """
    needed = ("duration_days", "event")
    _refuse_rows((name, "the column is missing", None) for name in needed if name not in rows)
    duration, event = (rows[name].to_numpy(dtype=float) for name in needed)
    entry = rows["entry_days"].to_numpy(dtype=float) if "entry_days" in rows else np.zeros(len(rows))
    weight = rows["weight"].to_numpy(dtype=float) if "weight" in rows else np.ones(len(rows))
    wrong = (
        ("duration_days", "not a number of days from 0 on", ~(np.isfinite(duration) & (duration >= 0))),
        ("event", "neither 0 nor 1", ~np.isin(event, (0, 1))),
        ("entry_days", "not before the day of leaving", ~((entry == 0) | ((entry > 0) & (entry < duration)))),
        ("weight", "not a number of members", ~(np.isfinite(weight) & (weight >= 0))),
    )
    _refuse_rows((name, rule, int(found.sum())) for name, rule, found in wrong if found.any())
    return Times(entry=np.where(entry > 0, entry, -1.0), duration=duration, event=event, weight=weight)


def drop_unknown(rows: pd.DataFrame, *, covariates: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Return the rows with members and with every covariate known, and how many members are left out.

    Raises
    ------
    SchemaError
        A covariate is missing.
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: nobody is left.
    """
    _refuse_rows((name, "the column is missing", None) for name in covariates if name not in rows)
    known = rows[list(covariates)].notna().all(axis=1).to_numpy()
    weight = rows["weight"].to_numpy(dtype=float) if "weight" in rows else np.ones(len(rows))
    kept = known & (weight != 0)
    if not kept.any():
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": 0, "needed": 1})
    return rows[kept], int(np.rint(weight[~known].sum()))


def read_terms(
    rows: pd.DataFrame, *, covariates: Sequence[str], reference: Mapping[str, Any], weight: Floats
) -> tuple[Term, ...]:
    """Return the terms of the covariates: numbers as they are, everything else as categories.

    The reference of a category is its level in ``reference``, else its largest.

    Raises
    ------
    SchemaError
        The reference is no level of its covariate.
    RefusedAnalysis
        ``ONE_LEVEL``: everybody has the same.
    """
    terms = []
    for name in covariates:
        values = rows[name]
        if values.nunique() < 2:
            raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": name})
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            terms.append(Term(covariate=name))
            continue
        sizes = pd.Series(weight).groupby(values.astype(object).to_numpy()).sum()
        first = reference.get(name, sizes.idxmax())
        _refuse_rows([(name, "the reference is no level of it", None)] if first not in sizes.index else [])
        terms.append(Term(covariate=name, levels=(first, *(level for level in sizes.index if level != first))))
    return tuple(terms)


def encode(rows: pd.DataFrame, terms: Sequence[Term]) -> Floats:
    """Return the covariates of the rows as numbers, shape (rows, coefficients)."""
    _refuse_rows((term.covariate, "the column is missing", None) for term in terms if term.covariate not in rows)
    return np.hstack([term.encode(rows[term.covariate]) for term in terms])


def find_kinds(x: Floats) -> tuple[Ints, Floats]:
    """Return each row's kind, and each kind's columns: rows of one kind have the same covariates."""
    kind = np.zeros(len(x), dtype=np.int64)
    for column in x.T:
        code, found = pd.factorize(column)
        kind, _ = pd.factorize(kind * len(found) + code)  # renumbered, so that it stays small
    _, first = np.unique(kind, return_index=True)
    return kind, x[first]


def name_columns(terms: Sequence[Term]) -> list[str]:
    """Return what the coefficients are called."""
    return [column for term in terms for column in term.columns]


def term_of_column(terms: Sequence[Term]) -> list[str]:
    """Return the covariate that each coefficient belongs to."""
    return [term.covariate for term in terms for _ in term.columns]


def refuse_repeats(information: Floats, terms: Sequence[Term]) -> None:
    """Refuse columns that say together what another one says.

    Raises
    ------
    SchemaError
        The information about the coefficients is singular, on the scale of correlations.
    """
    diagonal = np.diag(information)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    if values[0] < 1e-10:
        names = np.array(term_of_column(terms))
        guilty = sorted(set(names[np.abs(vectors[:, 0]) > 0.1]))
        _refuse_rows((name, "says the same as other covariates together", None) for name in guilty)


def tabulate(
    names: Sequence[str], coefficients: Floats, covariance: Floats, *, ratio: str, confidence: float
) -> pd.DataFrame:
    """Return one row per coefficient: its value, its exponential called ``ratio``, error, interval and Wald's test."""
    error = np.sqrt(np.diag(covariance))[: len(coefficients)]
    margin = stats.norm.ppf((1 + confidence) / 2) * error
    z = coefficients / error
    return pd.DataFrame(
        {
            "term": names,
            "coefficient": coefficients,
            ratio: np.exp(coefficients),
            "std_error": error,
            "ci_low": np.exp(coefficients - margin),
            "ci_high": np.exp(coefficients + margin),
            "z": z,
            "p_value": 2 * stats.norm.sf(np.abs(z)),
        }
    )


def lay_out(profiles: pd.DataFrame, *, days: Floats, last_day: float, **values: Floats) -> pd.DataFrame:
    """Return one row per profile and day: the profile, ``day`` and ``values``, nan beyond ``last_day``.

    Parameters
    ----------
    values
        Shape (profiles, days).
    """
    known = np.where(days > last_day, np.nan, 1.0)
    repeated = profiles.loc[profiles.index.repeat(len(days))].reset_index(drop=True)
    named = {name: (value * known).ravel() for name, value in values.items()}
    return repeated.assign(day=np.tile(days.astype(np.int64), len(profiles)), **named)


def _refuse_rows(found: Any) -> None:
    problems = [
        Problem(file="rows", column=column, rule=rule, n_rows=n_rows, remedy="Correct the rows before the model")
        for column, rule, n_rows in found
    ]
    if problems:
        raise SchemaError(problems)
