"""Nothing that is published, alone or less what was published before, tells of a few people."""

from __future__ import annotations

import json
import stat

import pandas as pd
import pytest

from analysis import disclosure, inference
from analysis.reports import audit, shared, tables
from analysis.reports.gate import PageRefused

COLUMNS = ("channel_id", "n", "n_events", "loss")


def files(*rows, name="levels", columns=COLUMNS):
    return {f"tables/01_churn.{name}.csv": tables.to_csv(columns, rows)}


def leaks(new, *old, min_cell=10):
    before = {f"run-{n}": audit.read_cells(one, "01_churn") for n, one in enumerate(old)}
    return audit.find_leaks(audit.read_cells(new, "01_churn"), before, min_cell=min_cell)


def publish(folder, day, content, notebook="01_churn"):
    run = folder / f"2026-06-{day:02}_20260601T000000000Z_ab"
    (run / "tables").mkdir(parents=True, exist_ok=True)
    for path, text in content.items():
        (run / path.replace("01_churn", notebook)).write_bytes(text)


def test_counts_to_five_leave_no_one_when_subtracted():
    """235 - 230 = 5 may be anything from 1 to 9."""
    old, new = files(["feed", 230, 100, 0.43]), files(["feed", 235, 105, 0.45])
    assert leaks(new, old) == ()


def test_an_exact_count_less_an_exact_count_is_a_leak_if_a_few_remain():
    """233 - 231 = 2 people came by this channel; 233 - 221 = 12 are no few; 233 - 233 is nobody."""
    new = files(["feed", 233, 100, 0.43])
    (leak,) = leaks(new, files(["feed", 231, 100, 0.43]))
    assert (leak.table, leak.column, leak.how, leak.run) == ("levels", "n", "before", "run-0")
    assert leaks(new, files(["feed", 221, 100, 0.43])) == ()
    assert leaks(new, new) == ()
    assert leaks(new, files(["note", 231, 100, 0.43])) == ()  # another cell


def test_a_count_that_ends_in_five_by_chance_is_exact_among_exact_ones():
    new = files(["feed", 235, 100, 0.43], ["note", 91, 40, 0.4])
    assert [leak.column for leak in leaks(new, files(["feed", 232, 100, 0.4], ["note", 91, 40, 0.4]))] == ["n"]


def test_a_part_below_the_cell_is_a_leak():
    """A five stands for 1 to 7, and so does a three; a ten may be twelve; events are no cells."""
    assert [leak.how for leak in leaks(files(["feed", 5, 5, 0.5]))] == ["shown"]
    assert [leak.how for leak in leaks(files(["feed", 3, 0, 0.5]))] == ["shown"]
    assert leaks(files(["feed", 10, 5, 0.5])) == ()


def test_a_total_less_its_parts_is_a_leak_if_a_few_remain():
    """151 - 100 - 48 = 3; rounded, 150 - 100 - 50 tells nothing."""
    exact = files(["feed", 100, 0, 0.1], ["note", 48, 0, 0.1], ["total", 151, 0, 0.1])
    assert [leak.how for leak in leaks(exact)] == ["parts"]
    assert leaks(files(["feed", 100, 0, 0.1], ["note", 50, 0, 0.1], ["total", 150, 0, 0.1])) == ()


def test_totals_of_whole_questions_are_no_cells():
    assert leaks(files(["churn.silence", 7], name="checks", columns=("claim", "n"))) == ()


def test_the_last_eight_runs_and_other_parameters_are_subtracted(tmp_path):
    for day in range(1, 10):
        publish(tmp_path, day, files(["feed", 300 + 20 * day, 0, 0.1]))
    publish(tmp_path, 9, files(["feed", 777, 0, 0.1]), notebook="01_churn@silent-60")
    assert len(audit.read_runs(tmp_path, "01_churn")) == 9  # eight runs, one of them with two sets of parameters
    check = {"notebook": "01_churn", "folder": tmp_path, "min_cell": 10}
    audit.check_release(files(["feed", 500, 0, 0.1]), **check)
    with pytest.raises(PageRefused, match=r"levels, n: less the same cell of run 2026-06-09\S* 01_churn@silent-60"):
        audit.check_release(files(["feed", 779, 0, 0.1]), **check)
    with pytest.raises(PageRefused, match="2026-06-02"):
        audit.check_release(files(["feed", 341, 0, 0.1]), **check)
    audit.check_release(files(["feed", 322, 0, 0.1]), **check)  # the first of nine is forgotten


def test_the_shared_claims_pass_the_audit_and_the_exact_ones_do_not(tmp_path):
    """Eight weeks, each with three members more than the week before."""
    weeks = [
        {"id": "churn.loss", "group": "feed", "at": 30, "unit": "fraction", "estimate": (40 + week) / (150 + 3 * week)}
        | {"n": 150 + 3 * week, "n_events": 40 + week, "ci_low": None, "ci_high": 0.4567, "p_value": 0.01234}
        for week in range(8)
    ]
    cells = []
    for week, claim in enumerate(weeks):
        (run := tmp_path / str(week)).mkdir()
        shared.write_results(run, [claim])
        cells.append(audit.read_claims(run))
    before = {str(week): one for week, one in enumerate(cells[:-1])}
    assert audit.find_leaks(cells[-1], before, min_cell=10) == ()
    exact = [{("churn.loss", "n", "feed", "30"): float(claim["n"])} for claim in weeks]
    assert audit.find_leaks(exact[-1], {"0": exact[-2]}, min_cell=10)


def test_the_exact_results_are_their_owners_and_the_shared_ones_rounded(tmp_path):
    (tmp_path / "notebooks").mkdir()
    claim = {"id": "a", "unit": "fraction", "estimate": 0.41377, "ci_low": 0.3049, "ci_high": None, "n": 1233}
    members = {"id": "b", "unit": "members", "estimate": -88.6, "ci_low": 2.0, "ci_high": 117.0, "n": None}
    money = {
        "id": "c",
        "unit": "CNY",
        "estimate": 32.4391,
        "ci_low": 1234.5,
        "ci_high": 0.0,
        "n": 4,
        "p_value": 0.00012,
    }
    few = {"id": "d", "unit": "questions", "estimate": 3, "n": 4}
    shared.write_results(tmp_path, [claim, members, money, few])
    assert stat.S_IMODE((tmp_path / "results.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "notebooks").stat().st_mode) == 0o700
    assert json.loads((tmp_path / "results.json").read_text())[0]["n"] == 1233
    one, two, three, four = json.loads((tmp_path / "results.shared.json").read_text())
    assert (one["estimate"], one["ci_low"], one["ci_high"], one["n"], one["p_value"]) == (0.41, 0.3, None, 1235, None)
    assert (two["estimate"], two["ci_low"], two["ci_high"], two["n"]) == (-90, 5, 115, None)
    assert (three["estimate"], three["ci_low"], three["ci_high"], three["n"]) == (32.4, 1230.0, 0.0, 5)
    assert three["p_value"] == 0.001
    assert (four["estimate"], four["n"]) == (3.0, 4)


LEVEL_COLUMNS = ("channel_id", "n", "loss", "difference")


def told(files, claims=()):
    found = audit.find_in_release(
        audit.read_rows(files, "01_churn"), [shared.share(it) for it in claims], claims, min_cell=10
    )
    return [(leak.table, leak.column, leak.how) for leak in found]


def test_a_share_with_two_digits_of_thirty_is_a_leak_and_one_on_its_grid_is_none():
    """7 of 100 of 30 are two. 2/5 of 30 is 40: 9 to 15. Of 1,000, 7 of 100 are 65 to 75."""
    assert told(files(["feed", 30, 0.07, 0.1], columns=LEVEL_COLUMNS)) == [("levels", "loss", "share")]
    assert told(files(["feed", 30, 0.93, 0.1], columns=LEVEL_COLUMNS)) == [("levels", "loss", "share")]
    assert told(files(["feed", 30, 0.4, 0.1], columns=LEVEL_COLUMNS)) == []
    assert told(files(["feed", 1000, 0.07, 0.1], columns=LEVEL_COLUMNS)) == []


def test_an_interval_that_was_rounded_by_itself_is_a_leak():
    """Wilson's of 3 in 60 is 0.02 to 0.14; of 4, 0.03 to 0.16: the ends tell which of 3 to 8 it was."""
    columns = ("tenth", "n", "share_left", "left_low", "left_high")
    named = {"name": "validation", "columns": columns}
    assert told(files([1, 60, 0.09, 0.02, 0.14], **named)) == [("validation", "share_left", "interval")]
    made = next(disclosure.list_intervals(0.09, 60))
    assert told(files([1, 60, 0.09, *made], **named)) == []


def test_a_ratio_that_gives_its_count_back_is_a_leak():
    """5 seen stand for 1 to 7; 1.5 x 2.0 = 3. Of the rounded count there is no ratio, and 40 / 11.3 is 3.54."""
    named = {"name": "groups", "columns": ("group_id", "n", "observed", "expected", "ratio")}
    assert told(files(["g", 60, 5, 2.0, 1.5], **named)) == [("groups", "ratio", "product")]
    assert told(files(["g", 60, 40, 11.3, 3.54], **named)) == []


def test_a_difference_that_gives_its_share_back_is_a_leak():
    """0.20 - 0.05 = 0.15 of 60 are 9; the share itself says 0.18, 8 to 13."""
    named = {"name": "risk_tenths", "columns": ("tenth", "n", "predicted", "share_silent", "off")}
    assert told(files([1, 60, 0.2, 0.18, 0.05], **named)) == [("risk_tenths", "off", "product")]
    assert told(files([1, 60, 0.2, 0.18, 0.02], **named)) == []


def test_claims_and_their_sentences_are_audited_as_they_are_shared():
    claim = {"id": "own.loss", "group": "", "at": 30, "unit": "fraction", "estimate": 2 / 30, "n": 30, "n_events": 2}
    claim |= {"ci_low": 0.02, "ci_high": 0.21, "p_value": None, "sentence": {"en": "Of 100 who joined, 7 [2–21] left."}}
    assert told({}, [claim]) == [("own.loss", "estimate", "sentence")]
    quiet = claim | {"sentence": {"en": "Few left."}}
    assert told({}, [quiet]) == []
    as_it_was = audit.find_in_release([], [quiet | {"estimate": 0.07}], min_cell=10)
    assert [leak.how for leak in as_it_was] == ["share", "product"]
    of_groups = {**quiet, "id": "quality.freshness", "estimate": 0.93}  # 2 of 30 groups, which are nobody's secret
    assert list(audit.find_in_release([], [of_groups], min_cell=10)) == []
    few = claim | {"unit": "members", "estimate": 3, "sentence": {"en": "3 members sit in both."}}
    assert told({}, [few]) == [("own.loss", "estimate", "sentence")]
    assert told({}, [few | {"sentence": {"en": "Some members sit in both."}}]) == []


def test_shares_of_two_weeks_are_subtracted(tmp_path):
    """51 of 100 and 53 of 100: two left in between. On the grid of 19 both are 0.53."""
    publish(tmp_path, 1, {"tables/01_churn.levels.csv": tables.to_csv(LEVEL_COLUMNS, [["feed", 101, 0.51, 0.1]])})
    check = {"notebook": "01_churn", "folder": tmp_path, "min_cell": 10}
    with pytest.raises(PageRefused, match="levels, loss: less the same cell of run 2026-06-01"):
        audit.check_release(files(["feed", 101, 0.54, 0.1], columns=LEVEL_COLUMNS), **check)
    publish(tmp_path, 1, {"tables/01_churn.levels.csv": tables.to_csv(LEVEL_COLUMNS, [["feed", 100, 0.53, 0.1]])})
    audit.check_release(files(["feed", 100, 0.58, 0.1], columns=LEVEL_COLUMNS), **check)


def test_merges_stay_the_same_when_a_level_shrinks_and_comes_back():
    """Tin falls below ten and comes back: silver is merged with it meanwhile, and which it is does not hang on a few members."""
    weeks = [(12, 40, 90), (9, 41, 93), (8, 44, 100), (9, 60, 70), (11, 39, 88)]
    hidden = [inference.find_small(pd.Series(sizes, index=["tin", "silver", "gold"])) for sizes in weeks]
    assert hidden[0] == hidden[4] == []
    assert hidden[1] == hidden[2] == hidden[3] == ["tin", "silver"]


def test_where_the_partner_of_a_merge_changes_rounded_counts_tell_nobody():
    """41 + 9 merged, then silver alone at 44: 50 - 45 = 5 may be 1 to 9; exact, 50 - 44 = 6 would be tin."""
    before, after = (
        files(["gold", 95, 0, 0.1], ["other", 50, 0, 0.1]),
        files(["silver", 45, 0, 0.1], ["other", 70, 0, 0.1]),
    )
    assert leaks(after, before) == ()
    assert leaks(files(["other", 53, 0, 0.1]), files(["other", 50, 0, 0.1]))
