"""What became of the figures of earlier actions: noise is never called progress."""

from __future__ import annotations

import csv
import io
import json
import re
from math import sqrt

import numpy as np
import pytest

from analysis import labels
from analysis.reports import before as earlier
from analysis.reports import gate, outcomes, render, this_week
from analysis.reports.outcomes import Before, Today

THEN = 20_600


def claim(name, estimate, low=None, high=None, *, status="review", **other):
    numbers = {"estimate": estimate, "ci_low": low, "ci_high": high, "confidence": 0.95}
    sentence = {"en": "It says.", "zh": "说。"}
    return {"id": name, "notebook": "01_churn", "group": "", "status": status, "sentence": sentence, **numbers, **other}


def action(name, group=""):
    return {"claim": name, "notebook": "01_churn", "group": group, "what_en": "Visit g0", "what_zh": "先去看g0"}


VISIT = action("churn.groups")


def judge(old, new, *, name="", days=7, asked=None, parameters=({}, {}), older=()):
    """Return what became of one action after some days."""
    asked = asked or action(name or old["id"], old.get("group", ""))
    runs = [
        Before(as_of_day=THEN - back, actions=[asked], claims=[then], parameters={"01_churn": parameters[0]}, churn={})
        for back, then in ((0, old), *older)
    ]
    today = Today(as_of_day=THEN + days, claims=new, parameters={"01_churn": parameters[1]}, churn={})
    (found,) = outcomes.find_outcomes(runs, today)
    return found


def watched(*seen, day, expected=20.0, flagged=1):
    groups = [
        {"group_id": f"g{n}", "observed": one, "expected": expected, "flagged": n < flagged}
        for n, one in enumerate(seen)
    ]
    return claim("churn.groups", flagged, at=day, details={"days": 14, "groups": groups})


OTHERS = (30, 12, 25, 15, 21, 10, 28, 22, 16)


@pytest.mark.parametrize(("later", "code"), [(19, "better"), (44, "same"), (75, "worse")])
def test_a_group_that_stood_out_is_held_against_what_it_would_have_fallen_back_to(later, code):
    """50 left where 20 were expected, beside nine groups that differ less: shrunk to about 2.2 times, 44 [27-63] where 20 are expected.

    44 is fewer than 50 and still no progress.
    """
    found = judge(watched(50, *OTHERS, day=THEN), [watched(later, *OTHERS, day=THEN + 14)], days=14)
    assert found.code == code
    assert found.then[0] == pytest.approx(2.5)
    assert found.now[0] == pytest.approx(later / 20)
    assert 2.0 < found.expected[0] < 2.5


def test_small_groups_whose_fortnight_would_be_read_either_way_are_not_judged():
    """6 left where 2 were expected: falling back to 2 is as likely as staying near 4."""
    found = judge(
        watched(6, *(2, 1, 3, 2, 2, 1, 3, 2, 2), day=THEN, expected=2.0),
        [watched(2, *(2, 2, 2, 2, 2, 2, 2, 2, 2), day=THEN + 14, expected=2.0)],
        days=14,
    )
    assert found.code == "unsure"


def test_a_window_that_shares_days_with_that_of_then_is_too_early():
    assert judge(watched(50, *OTHERS, day=THEN), [watched(19, *OTHERS, day=THEN + 7)]).code == "early"


def test_an_older_run_that_asked_for_the_same_is_taken_where_the_last_is_too_early():
    found = judge(
        watched(50, *OTHERS, day=THEN),
        [watched(19, *OTHERS, day=THEN + 7)],
        older=((7, watched(50, *OTHERS, day=THEN - 7)),),
    )
    assert (found.code, found.then_day, found.report_day) == ("better", THEN - 7, THEN)


def newcomers(estimate, half, *, level="douyin", **other):
    given = {"group": "channel_id", "at": 30, "details": {"level": level}, **other}
    return claim("churn.difference", estimate, estimate - half, estimate + half, **given)


def test_what_has_been_seen_since_is_taken_apart_from_what_was_known():
    """Variances 4 and 2 (in squared points): half of what is known came since. 20 then, 12 in all: 4 since, ± 1.96 × 2."""
    half = 1.96 * 0.02
    found = judge(newcomers(0.20, half), [newcomers(0.12, half / sqrt(2))], days=60)
    assert found.now[0] == pytest.approx(0.04)
    assert found.now[2] - found.now[0] == pytest.approx(half, rel=1e-3)
    assert found.code == "better"


def test_a_cumulated_difference_that_has_hardly_grown_is_no_news():
    """Last week's estimate and this week's share nearly all members: a change by the noise of a week must not be read."""
    assert judge(newcomers(0.20, 0.040), [newcomers(0.19, 0.0399)], days=60).code == "unsure"
    assert judge(newcomers(0.20, 0.040), [newcomers(0.20, 0.030)], days=60).code == "same"
    assert judge(newcomers(0.20, 0.040), [newcomers(0.19, 0.030)], days=7).code == "early"


def test_another_level_is_another_figure():
    assert judge(newcomers(0.2, 0.04), [newcomers(0.2, 0.03, level="qq")], days=60).code == "gone"


def test_what_the_law_asks_is_counted():
    then = claim("quality.gate.minors", 10.0, status="fail")
    now = {n: judge(then, [claim("quality.gate.minors", n, status="fail")]).code for n in (5.0, 10.0, 20.0)}
    assert now == {5.0: "better", 10.0: "same", 20.0: "worse"}
    assert judge(then, [claim("quality.gate.minors", 0.0, status="pass")]).code == "settled"


def test_the_chance_of_the_target_is_what_a_way_was_to_raise():
    """Of 10,000 worlds 61 and 64 in 100: 3 points, by Newcombe ± sqrt(0.95² + 0.94²) = 1.3; 61 and 61.5 is nothing."""
    way = claim("plan.way", 0.05, 0.04, 0.06, group="search", details={"target": "active"})

    def target(chance):
        return claim("plan.target", chance, chance - 0.0095, chance + 0.0094, group="active")

    asked = action("plan.way", "search")
    run = Before(as_of_day=THEN, actions=[asked], claims=[way, target(0.61)], parameters={}, churn=None)
    codes = {}
    for chance in (0.64, 0.615, 0.58):
        today = Today(as_of_day=THEN + 7, claims=[target(chance)], parameters={}, churn=None)
        (found,) = outcomes.find_outcomes([run], today)
        codes[chance] = found.code
    assert codes == {0.64: "better", 0.615: "same", 0.58: "worse"}


def test_an_incentive_has_a_control_group_and_its_verdict_stands_or_does_not():
    then = claim("incentive.verdict", 0.11, 0.06, 0.15, status="pass", group="red")
    assert judge(then, [then]).code == "stands"
    assert judge(then, [claim("incentive.verdict", 0.05, -0.01, 0.11, status="review", group="red")]).code == "lapsed"


def test_other_rules_are_not_compared_and_a_claim_that_is_gone_is_said_to_be():
    then, now = newcomers(0.2, 0.04), newcomers(0.1, 0.02)
    assert judge(then, [now], days=60, parameters=({"silent_days": 30}, {"silent_days": 14})).code == "other"
    assert judge(then | {"definition": "a"}, [now | {"definition": "b"}], days=60).code == "other"
    assert (
        judge(then | {"definition": "a"}, [now | {"definition": "a"}], days=60, parameters=({"k": 1}, {"k": 2})).code
        != "other"
    )
    assert judge(then, [], days=60).code == "gone"
    assert judge(then, [now | {"status": "refused"}], days=60).code == "gone"


@pytest.mark.parametrize("locale", labels.LOCALES)
@pytest.mark.parametrize("kind", ["law", "incentive", "groups", "newcomers", "plan"])
@pytest.mark.parametrize(
    "code", ["settled", "better", "worse", "same", "unsure", "early", "stands", "lapsed", "gone", "other"]
)
def test_every_outcome_has_words_and_a_page_shows_them(locale, kind, code):
    figure = (0.5, 0.4, 0.6) if code not in ("early", "gone", "other") else None
    one = outcomes.Outcome(
        kind=kind,
        code=code,
        action=action("churn.groups"),
        report_day=THEN,
        then_day=THEN,
        then=figure,
        now=figure,
        expected=figure,
    )
    told = this_week.describe_outcomes([one], locale=locale)
    frame = render.Frame(community="Demo", first_day=20000, as_of_day=20600)
    html = render.render_index([], locale=locale, frame=frame, actions=[], became=told)
    assert gate.inspect_page(html) == ()
    assert told["outcomes"][0]["why"] in re.sub(r"</?span[^>]*>", "", html)
    assert labels.MISSING not in told["outcomes"][0]["why"].split("[")[0]
    assert (told["proof"] != "") == (code in ("better", "worse", "same") and kind != "law")


def write_run(folder, *, as_of, made, actions=(VISIT,), claims=()):
    run = folder / f"{as_of}_{made}T080000000Z_0123abcd"
    run.mkdir(parents=True)
    columns = ["priority", "claim", "notebook", "group", "what_en"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows([{"priority": n, **one} for n, one in enumerate(actions, 1)])
    writer.writerow({"priority": "", "claim": "old.outcome", "notebook": "x", "group": ""})
    (run / "actions.csv").write_text(text.getvalue(), "utf-8-sig")
    (run / "results.json").write_text(json.dumps(list(claims)))
    record = {"notebook": "01_churn", "status": "published", "parameters": {"k": 3}}
    (run / "manifest.json").write_text(json.dumps({"as_of": as_of, "locales": ["en"], "notebooks": [record]}))
    return run


def test_runs_of_this_week_and_broken_ones_do_not_count(tmp_path):
    day = 20_614  # 2026-06-10
    write_run(tmp_path, as_of="2026-06-09", made="20260610")
    write_run(tmp_path, as_of="2026-06-03", made="20260604", claims=[claim("a", 1.0)])
    write_run(tmp_path, as_of="2026-06-03", made="20260605", claims=[claim("b", 1.0)])
    (write_run(tmp_path, as_of="2026-05-27", made="20260528") / "actions.csv").write_text("torn")
    runs = earlier.read_before(tmp_path, as_of_day=day)
    assert [(run.as_of_day, run.claims[0]["id"]) for run in runs] == [(20_607, "b")]
    assert [one["claim"] for one in runs[0].actions] == ["churn.groups"]
    assert runs[0].parameters == {"01_churn": {"k": 3}}


def test_an_action_is_counted_for_as_long_as_it_stood_without_a_break(tmp_path):
    for as_of, asked in (("2026-06-03", "a"), ("2026-05-27", "a"), ("2026-05-20", "b"), ("2026-05-13", "a")):
        write_run(tmp_path, as_of=as_of, made=as_of.replace("-", ""), actions=[action(asked)])
    runs = earlier.read_before(tmp_path, as_of_day=20_614)
    assert outcomes.count_times(("01_churn", "a", ""), runs) == (3, 20_600)
    assert outcomes.count_times(("01_churn", "b", ""), runs) == (1, None)


def test_outcomes_are_kept_in_the_table_of_actions():
    found = judge(watched(50, *OTHERS, day=THEN), [watched(19, *OTHERS, day=THEN + 14)], days=14)
    (row,) = csv.DictReader(
        io.StringIO(this_week.write_csv([], [found], locales=("en", "zh"), day=THEN).decode("utf-8-sig"))
    )
    assert (row["priority"], row["claim"], row["outcome"], row["outcome_since"]) == (
        "",
        "churn.groups",
        "better",
        "2026-05-27",
    )
    assert (row["then"], row["now"], row["what_zh"]) == ("2.5", "0.9", "先去看g0")
    assert "without doing anything" in row["why_en"]


def test_when_nothing_changed_a_cumulated_difference_is_called_better_or_worse_at_most_five_times_in_a_hundred():
    """4,000 worlds: 40 of 100 of 400 newcomers in one level leave, 20 of 100 of all others; 300 more of each come, and nothing changes."""
    rng = np.random.default_rng(11)
    z = 1.96
    called = 0
    for _ in range(4000):
        level, others = rng.binomial(1, 0.4, 700), rng.binomial(1, 0.2, 700)
        told = []
        for n in (400, 700):
            one, two = level[:n].mean(), others[:n].mean()
            told.append((one - two, z * sqrt(one * (1 - one) / n + two * (1 - two) / n)))
        (was, half), (now, half_now) = told
        called += judge(newcomers(was, half), [newcomers(now, half_now)], days=60).code in ("better", "worse")
    assert 0.035 < called / 4000 < 0.065
