"""The figures week by week: what stands, what was revised, where definitions change; and what is said of it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from analysis import disclosure, labels
from analysis.config import Community, read_config
from analysis.reports import alerts, news, restate, series

DAYS = ("2026-06-07", "2026-06-14", "2026-06-21")


def point(
    day: str, estimate: float, *, claim: str = "churn.cohort", definition: str = "aa", **more: object
) -> series.Point:
    numbers = {"at": 30, "ci_low": None, "ci_high": None, "n": 1000, "n_events": 400}
    return {"as_of": day, "claim": claim, "run": "r", "estimate": estimate, "definition": definition} | numbers | more


def judged(claim: str, low: float, high: float, *, page: str = series.PAGE, **more: object) -> dict:
    sentence = {"en": "Worse.", "zh": "变差。"}
    numbers = {"estimate": (low + high) / 2, "ci_low": low, "ci_high": high, "definition": "aa", "group": ""}
    return {"id": claim, "notebook": page, "sentence": sentence} | numbers | more


def test_only_what_is_followed_and_was_answered_becomes_a_point() -> None:
    claims = [judged("churn.cohort", 0.3, 0.5), judged("churn.change", 0.0, 0.0, estimate=None)]
    claims += [judged("churn.groups", 1, 3), judged("churn.cohort", 0.1, 0.2, page="01_churn_survival-strict")]
    (only,) = series.take_points(claims, as_of=DAYS[0], run="r")
    assert (only["claim"], only["estimate"], only["as_of"], only["run"]) == ("churn.cohort", 0.4, DAYS[0], "r")


def test_a_series_is_its_owners_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    points = [point(DAYS[1], 0.4), point(DAYS[0], 0.3), point(DAYS[0], 0.1, claim="churn.window")]
    series.write_series(tmp_path, points)
    assert [(one["as_of"], one["claim"]) for one in series.read_series(tmp_path)] == [
        (DAYS[0], "churn.cohort"), (DAYS[0], "churn.window"), (DAYS[1], "churn.cohort"),
    ]  # fmt: skip
    assert stat.S_IMODE((tmp_path / series.FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [series.FILE]
    for damage in ('{"points": [{"as_of"', '{"points": 3}', "[]", '{"points": [{"as_of": "x"}]}'):
        (tmp_path / series.FILE).write_text(damage, "utf-8")
        assert series.read_series(tmp_path) == []


def test_a_point_told_again_keeps_what_it_first_said_under_one_definition_only() -> None:
    """0.30, then 0.33 and 0.35: it was 0.30. Under another definition it was nothing that may stand beside it."""
    told = series.extend([point(DAYS[0], 0.30)], [point(DAYS[0], 0.33)])
    told = series.extend(told, [point(DAYS[0], 0.35), point(DAYS[1], 0.4)])
    assert [(one["estimate"], one.get("was")) for one in told] == [(0.35, 0.30), (0.4, None)]
    (other,) = series.extend([point(DAYS[0], 0.30)], [point(DAYS[0], 0.5, definition="bb")])
    assert "was" not in other
    (same,) = series.extend([point(DAYS[0], 0.30)], [point(DAYS[0], 0.30)])
    assert "was" not in same


def test_late_rows_are_counted_and_few_of_them_tell_nothing() -> None:
    """12 members and 9 leavings more than then: 21, told as 20. Where 5 came late, neither figure is told."""
    told = [point(DAYS[0], 0.40), point(DAYS[0], 0.20, claim="churn.survival", n=9000, n_events=300)]
    now = [
        point(DAYS[0], 0.44, n=1012, n_events=409),
        point(DAYS[0], 0.204, claim="churn.survival", n=9021, n_events=302),
    ]
    (revised,) = series.find_revisions(told, now)
    assert (revised.claim, revised.was, revised.now, revised.n_late) == ("churn.cohort", 0.40, 0.44, 21)
    shared = series.share_revision(revised, min_cell=10)
    assert (shared["was"], shared["now"], shared["n_late"]) == (0.4, 0.44, 20)
    few = series.find_revisions(told, [point(DAYS[0], 0.44, n=1003, n_events=402)])
    assert series.share_revision(few[0], min_cell=10) == {
        "claim": "churn.cohort", "as_of": DAYS[0], "n_late": None, "was": None, "now": None,
    }  # fmt: skip
    assert series.find_revisions(told, [point(DAYS[0], 0.9, definition="bb", n=500)]) == ()


def test_a_revision_and_the_weeks_say_no_more_than_the_page_said() -> None:
    """Of 34, which may be 33 to 37, six steps: 3 and 5 that left are one of them, 10 the next; a difference stands on them too."""
    told, same = point(DAYS[0], 3 / 34, n=34, n_events=3), point(DAYS[0], 5 / 34, n=34, n_events=15)
    assert series.find_revisions([told], [same]) == ()
    (revised,) = series.find_revisions([told], [point(DAYS[0], 10 / 34, n=34, n_events=18)])
    steps = disclosure.count_cells(34)
    assert (steps, revised.was, revised.now) == (6, 0.17, 0.33)
    moved = [point(DAYS[0], gap, claim="churn.window", n=34) for gap in (0.0, 0.1)]
    (revised,) = series.find_revisions(moved[:1], moved[1:])
    assert (revised.was, revised.now) == (0.0, 0.17)
    (row,) = series.tabulate([told], locale="en")["rows"]
    assert row["cells"][0] == "17"  # and not 9


def test_a_break_stands_where_a_figure_comes_to_mean_something_else() -> None:
    points = [point(DAYS[0], 0.3), point(DAYS[1], 0.3, definition="bb"), point(DAYS[2], 0.3, definition="bb")]
    assert series.find_breaks(points) == {DAYS[1]}
    assert series.find_breaks([*points[1:], point(DAYS[0], 0.1, claim="churn.window")]) == set()
    for locale, words in (("en", "Definitions changed"), ("zh", "定义有变")):
        rows = series.tabulate(points, locale=locale)["rows"]
        assert [words in row["break"] for row in rows] == [False, True, False]


def test_the_table_says_how_it_was_judged_and_what_it_was() -> None:
    points = [point(DAYS[0], 0.4, was=0.3), point(DAYS[0], 0.1, claim="churn.change", ci_low=0.02, ci_high=0.2)]
    (row,) = series.tabulate(points, locale="en")["rows"]
    assert row["cells"] == ["40 (was 30)", "worse", "–", "–"]
    assert series.tabulate([], locale="en") is None


def test_only_what_is_surely_worse_alarms_and_only_of_the_family() -> None:
    claims = [
        judged("churn.change", 0.01, 0.2),
        judged("churn.first_week", -0.01, 0.2),
        judged("churn.window", -0.2, -0.1),
    ]
    claims += [judged("churn.difference", 0.1, 0.2), judged("churn.window", 0, 0, ci_low=None, ci_high=None, group="x")]
    (alarm,) = alerts.find_alarms(claims)
    assert (alarm.claim, alarm.asked, alarm.bound) == ("churn.change", False, 0.0)


@pytest.mark.parametrize(
    ("low", "high", "tone", "words"),
    [
        (0.01, 0.2, "alarm", "More newcomers leave"),
        (-0.2, -0.1, "good", "Fewer newcomers leave"),
        (-0.1, 0.1, "calm", "within the usual"),
    ],
)
def test_a_page_says_in_one_line_what_changed(low: float, high: float, tone: str, words: str) -> None:
    claims = [judged("churn.change", low, high), judged("churn.groups", 1, 2)]
    (line,) = news.describe_page(claims, alerts.find_alarms(claims))
    assert line.tone == tone
    assert words in line.text["en"]
    assert line.text["zh"] != line.text["en"]
    assert news.describe_page([judged("churn.groups", 1, 2)], ()) == ()


def test_revisions_and_new_definitions_are_told_and_alarm_nobody() -> None:
    claims = [judged("churn.change", -0.1, 0.1), judged("churn.groups", 1, 2, definition="bb")]
    before = [judged("churn.change", 0.1, 0.2), judged("churn.groups", 1, 2)]
    revised = {"claim": "churn.cohort", "as_of": DAYS[0], "was": 0.4, "now": 0.44, "n_late": 20}
    few = {"claim": "churn.window", "as_of": DAYS[0], "was": None, "now": None, "n_late": None}
    gap = {"claim": "churn.first_week", "as_of": DAYS[0], "was": 0.0, "now": 0.07, "n_late": 20}
    lines = news.describe_index(claims, (), revisions=[revised, gap, few], before=before)
    assert {line.tone for line in lines} == {"calm"}
    told = " ".join(line.text["en"] for line in lines)
    assert "is now 44 of 100 and was 40; about 20" in told
    assert "first week of the newest cohort against those before" in told
    assert "is now +7 of 100 and was 0; about 20" in told
    assert "A few rows came in late" in told
    assert "One figure is defined otherwise" in told
    assert "最新一批的流失" in " ".join(line.text["zh"] for line in lines)


def test_what_is_restated_for_the_newest_day_is_what_the_page_claims(root: Path) -> None:
    """The sample's newest day, read again without a kernel, against the golden run: figures, intervals and definitions."""
    golden = json.loads((root / "tests/golden/results.json").read_text("utf-8"))
    claims = {one["id"]: one for one in golden if one["notebook"] == series.PAGE and one["id"] in series.KEPT}
    values = {"leaving": "", "silent_days": 0, "away_days": 0, "loss_day": 30, "within_days": 30, "ahead_days": 90}
    points = restate.read_day(read_config(root / "data/sample/community.yml"), as_of="2026-06-28", values=values)
    assert {one["claim"] for one in points} == claims.keys() - {"churn.silence"}
    for one in points:
        expected = claims[one["claim"]]
        for name in ("estimate", "ci_low", "ci_high"):
            assert one[name] == pytest.approx(expected[name], rel=1e-9), (one["claim"], name)
        assert one["definition"] == expected["definition"], one["claim"]


def test_every_figure_that_is_followed_has_words() -> None:
    for locale in labels.LOCALES:
        texts = labels.catalogue(locale)
        assert all(f"news.of.{claim}" in texts for claim in series.KEPT)


def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, files: tuple[str, str], now: float) -> tuple:
    """Return the revisions where a run on ``files[0]`` told 0.40 for the newest day, and ``files[1]`` give ``now``."""
    series.write_series(tmp_path, [point(DAYS[0], 0.2), point(DAYS[1], 0.40)])
    (tmp_path / "latest").mkdir(exist_ok=True)
    told = {"inputs": [{"sha256": files[0], "table": "members"}]}
    (tmp_path / "latest/manifest.json").write_text(json.dumps(told), "utf-8")
    monkeypatch.setattr(restate, "read_day", lambda _c, *, as_of, values: [point(as_of, now, n=1030)])
    window = SimpleNamespace(inputs=({"sha256": files[1], "table": "members"},), as_of_day=20625)
    task = SimpleNamespace(name=series.PAGE, values={})
    plan = SimpleNamespace(tasks=[task], others=[], window=window, community=None)
    return restate.find_late(plan, tmp_path / "latest", tmp_path)


def test_rows_that_came_in_late_are_looked_for_only_where_files_came_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (revised,) = late(tmp_path, monkeypatch, files=("a", "b"), now=0.45)
    assert (revised.as_of, revised.was, revised.now, revised.n_late) == (DAYS[1], 0.40, 0.45, 30)
    assert late(tmp_path, monkeypatch, files=("a", "a"), now=0.45) == ()
    assert late(tmp_path, monkeypatch, files=("a", "b"), now=0.40) == ()
    assert restate.find_late(SimpleNamespace(tasks=[], others=[]), None, tmp_path) == ()


def test_a_restatement_renews_its_weeks_and_marks_where_the_rest_means_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two weeks read again under sign bb; the week before them stays under aa, and the break stands between."""
    folder = tmp_path / "demo"
    folder.mkdir()
    series.write_series(folder, [point(day, 0.3) for day in DAYS])
    window = SimpleNamespace(first_day=20000, as_of_day=20625)  # 2026-06-21
    community = Community(community="demo")
    plan = SimpleNamespace(community=community, window=window, tasks=[SimpleNamespace(values={})])
    monkeypatch.setattr(restate, "make_plan", lambda *_args, **_options: plan)
    fresh = {"definition": "bb", "run": series.RESTATED}
    monkeypatch.setattr(restate, "read_day", lambda _c, *, as_of, values: [point(as_of, 0.5, **fresh)])
    done = restate.restate("c.yml", last=2, reports_dir=tmp_path)
    assert done.days == (DAYS[2], DAYS[1])
    assert done.breaks == (DAYS[1],)
    told = {one["as_of"]: (one["estimate"], one["definition"]) for one in series.read_series(folder)}
    assert told == {DAYS[0]: (0.3, "aa"), DAYS[1]: (0.5, "bb"), DAYS[2]: (0.5, "bb")}
    assert "Definitions changed here" in (folder / "history.en.html").read_text("utf-8")
    blocks = dict(restate.tell(done))
    assert blocks[DAYS[2]] == [("churn.cohort", "0.5000  (was 0.3000 under another definition)")]
    assert DAYS[1] in dict(blocks["definitions"])
