"""An adversary with everything that was published, who knows the rounding and the arithmetic, does not learn who the few are.

She reads CSV, workbooks, sentences and shared claims of eight weeks, tries every pair of a number of members and of leavers, puts the
parts of a total together by integer programming, and subtracts week from week. With the rule off she succeeds: so she is able.
"""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook
from scipy.optimize import LinearConstraint, milp

from analysis import disclosure, findings, plots, survival
from analysis.labels import to_five
from analysis.plots import display
from analysis.reports import audit, results, shared, tables
from analysis.summaries import count_stays, find_stays

RULES = survival.Rules(follow_up_end=20_000, min_cell=10)
FIRST = {"feed": (34, 3), "note": (62, 7), "poster": (48, 4), "room": (91, 21)}
"""Members and leavers by day 30, in the first week."""
COMING = {"feed": (1, 1), "note": (2, 1), "poster": (1, 1), "room": (2, 2)}
"""And how many more of either every week."""


def grow(week):
    return {way: (n + week * COMING[way][0], k + week * COMING[way][1]) for way, (n, k) in FIRST.items()}


def count(parts):
    """Return counts of stays: leavers on day 12, the others are watched for 90 days."""
    rows = [(way, day, left, here) for way, (n, k) in parts.items() for day, left, here in ((12, k, 0), (90, 0, n - k))]
    counts = pd.DataFrame(rows, columns=["channel_id", "duration_days", "n_events", "n_censored"])
    return counts.assign(n_entered=0)


def publish(parts, monkeypatch):
    """Return the files of one week: tables as CSV and workbooks, claims, sentences."""
    outputs = []
    monkeypatch.setattr(display, "display", lambda data, *, raw, metadata: outputs.append((data, metadata)))
    compared = survival.compare_levels(count(parts), by="channel_id", rules=RULES)
    stay = survival.estimate_stay(count(parts).drop(columns="channel_id"), rules=RULES)
    for locale in ("en", "zh"):
        columns = ("channel_id", "n", "loss", "difference_interval")
        plots.show_table(compared, part="table", title="levels", by="channel_id", columns=columns, locale=locale)
        columns = ("day", "survival", "ci_low", "ci_high", "n_at_risk")
        plots.show_table(stay, part="milestones", title="milestones", columns=columns, locale=locale)
    cells = [{"outputs": [{"data": data, "metadata": metadata} for data, metadata in outputs], "metadata": {}}]
    shown = {locale: tables.read_tables({"cells": cells}, locale=locale) for locale in ("en", "zh")}
    churn = survival_settings()
    told = [
        findings.describe_stay(stay, leaving="explicit", churn=churn),
        findings.describe_levels(compared, by="channel_id", leaving="explicit"),
    ]
    claims = json.loads(results.dump([results._to_record(finding, "01", {}) for finding in told]))
    return tables.write_files("01", shown), claims


def survival_settings():
    from analysis.config import Churn  # noqa: PLC0415 - the name would hide a table of the same name above

    return Churn()


class Adversary:
    """Knows how numbers are rounded, by ``rounds(k, n)``, and what they are to each other."""

    def __init__(self, rounds):
        self.rounds = rounds

    def read(self, files, claims):
        """Return by channel every pair (n, k) that looks as published, and the ranges of all together."""
        (path,) = (path for path in files if path.endswith("levels-channel_id.csv"))
        rows = list(csv.DictReader(io.StringIO(files[path].decode("utf-8-sig"), newline="")))
        book = CalamineWorkbook.from_filelike(io.BytesIO(files["tables/01.en.xlsx"])).get_sheet_by_index(0).to_python()
        assert {row[2] for row in book[2:]} == {round(100 * float(row["loss"])) for row in rows}  # no finer elsewhere
        pairs = {row["channel_id"]: self.try_all(int(row["n"]), float(row["loss"])) for row in rows}
        whole = next(claim for claim in map(shared.share, claims) if claim["id"] == "churn.survival")
        return self.put_together(pairs, self.try_all(whole["n"], whole["estimate"]))

    def try_all(self, size, share):
        found = {
            (n, k) for n in range(size - 2, size + 3) for k in range(n + 1) if abs(self.rounds(k, n) - share) < 1e-9
        }
        assert found, "she knows the rounding"
        return found

    def put_together(self, pairs, whole):
        """Narrow the leavers of each part by those of all: the parts are the whole."""
        names = list(pairs)
        low, high = ([edge(k for _, k in pairs[name]) for name in names] for edge in (min, max))
        total = LinearConstraint(np.ones((1, len(names))), min(k for _, k in whole), max(k for _, k in whole))
        found = {}
        for place, name in enumerate(names):
            ends = []
            for sign in (1, -1):
                cost = sign * np.eye(len(names))[place]
                solved = milp(cost, constraints=total, integrality=np.ones(len(names)), bounds=(low, high))
                assert solved.success
                ends.append(round(float(solved.x[place])))
            sizes = [n for n, _ in pairs[name]]
            found[name] = (*ends, min(sizes) - ends[1], max(sizes) - ends[0])
        return found


def pins(low, high):
    """A number of few people, known more closely than a count rounded to five."""
    return low >= 1 and high <= 9 and high - low + 1 < 5


def attack(weeks, rounds):
    """Return what she pins: leavers of one week, those who stay, and leavers of one week less another."""
    read = [Adversary(rounds).read(*week) for week in weeks]
    found = [
        (week, way)
        for week, parts in enumerate(read)
        for way, ends in parts.items()
        if pins(*ends[:2]) or pins(*ends[2:])
    ]
    for now, later in ((a, b) for a in range(len(read)) for b in range(a + 1, len(read))):
        for way in read[now]:
            (low, high), (then_low, then_high) = read[later][way][:2], read[now][way][:2]
            found += [(now, later, way)] * pins(low - then_high, high - then_low)
    return found


def by_two_digits(k, n):
    return round(k / n, 2)


def switch_off(monkeypatch):
    """Publish shares with two digits, as they were before there was a rule."""
    monkeypatch.setattr(display.disclosure, "release", lambda rows, *_, **__: list(rows))
    for module in (disclosure, findings.churn.disclosure):
        monkeypatch.setattr(module, "blur_share", lambda value, n: round(value, 2))
        monkeypatch.setattr(
            module, "blur_interval", lambda value, low, high, **_: disclosure.Shown(round(value, 2), low, high)
        )


def test_the_adversary_pins_nobody_in_eight_weeks(monkeypatch):
    weeks = [publish(grow(week), monkeypatch) for week in range(8)]
    assert attack(weeks, lambda k, n: disclosure.blur_share(k / n, n)) == []


def test_without_the_rule_she_pins_leavers_and_who_left_in_between(monkeypatch):
    switch_off(monkeypatch)
    weeks = [publish(grow(week), monkeypatch) for week in range(8)]
    found = attack(weeks, by_two_digits)
    assert (0, "feed") in found
    assert any(len(where) == 3 for where in found)


def test_the_audit_passes_what_she_cannot_use_and_refuses_what_she_can(monkeypatch, tmp_path):
    files, claims = publish(grow(0), monkeypatch)
    check = {"notebook": "01", "folder": tmp_path, "min_cell": 10}
    audit.check_release(files, claims=claims, **check)
    switch_off(monkeypatch)
    files, claims = publish(grow(0), monkeypatch)
    with pytest.raises(audit.PageRefused, match="levels-channel_id, loss: with the number of members"):
        audit.check_release(files, claims=(), **check)


def test_sentences_say_no_more_than_tables_and_claims(monkeypatch):
    """21 of 91 and 35 of 235 left: 23 and 15 of 100 to two digits."""
    _, claims = publish(grow(0), monkeypatch)
    for claim in claims:
        told = shared.share(claim)
        said = re.findall(r"(\d+) \[(\d+)–(\d+)\]", claim["sentence"]["en"])
        for numbers in said:
            assert [int(number) for number in numbers] == [
                round(100 * told[name]) for name in ("estimate", "ci_low", "ci_high")
            ]
        assert set(re.findall(r"\d+(?= \[)", claim["sentence"]["zh"])) <= {
            text for numbers in said for text in numbers
        } | {""}
    assert to_five(235) == shared.share(claims[0])["n"]


def test_a_large_real_community_is_published_as_it_was_estimated(travel):
    """Of 44,202 members no share is coarser than one in a hundred, and nothing is refused."""
    stays = find_stays(
        travel, churn=survival_settings().model_copy(update={"leaving": "last_seen", "silent_days": 180})
    )
    stay = survival.estimate_stay(count_stays(stays), rules=RULES)
    rows = stay.milestones.to_dict("records")
    for row, shown in zip(rows, disclosure.release(rows, disclosure.LAYOUTS["milestones"], whole=stay.n), strict=True):
        assert [shown[name] for name in ("survival", "ci_low", "ci_high")] == pytest.approx(
            [round(row[name], 2) for name in ("survival", "ci_low", "ci_high")]
        )
    columns = ("day", "survival", "ci_low", "ci_high", "n_at_risk")
    released = disclosure.release(rows, disclosure.LAYOUTS["milestones"], whole=stay.n)
    cells = [
        [round(row[name], 2) if name != "n_at_risk" else to_five(row[name]) for name in columns] for row in released
    ]
    files = {"tables/01.milestones.csv": tables.to_csv(columns, cells)}
    claim = shared.share({"id": "churn.survival", "group": "", "at": 30, "unit": "fraction", "n": stay.n, "n_events": stay.n_events,
                          "estimate": stay.estimate, "ci_low": stay.ci_low, "ci_high": stay.ci_high, "p_value": None})  # fmt: skip
    assert audit.find_in_release(audit.read_rows(files, "01"), [claim], min_cell=10) == ()
