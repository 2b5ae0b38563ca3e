"""Days that are not like others, by hand, and nothing where there are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.errors import ConfigError
from analysis.findings.lever_words import name_group, name_stream
from analysis.planning.scenario import Scenario, read_scenario
from analysis.planning.worlds import Worlds, run_plan
from planning_cases import SURE, forever, plan

CHANNELS = {"ads": {"route": "sure", "unpaid": 70}, "notes": {"route": "sure", "unpaid": 7}}


def run(calendar: dict[str, Any], *, step: float = 0.0, **other: Any) -> Worlds:
    """Return worlds into which 77 come each week; a share 1 − exp(−step) of all leaves."""
    given = {"channels": CHANNELS, "funnel": {"sure": SURE}, "weeks": 4, "tenure_now": (1.0,), "calendar": calendar}
    return run_plan(plan(**given | other), seed=1, n=3, aging=forever(step=step))


def test_joins_change_by_the_share_of_a_weeks_days():
    """Saturday to Monday at 0.3: two of seven days in week 0, one in week 1: 77 · (5 + 2·0.3) / 7 = 61.6; 77 · 6.3 / 7 = 69.3."""
    worlds = run({"fair": {"from_day": "2026-07-11", "to_day": "2026-07-13", "joins": 0.3}})
    np.testing.assert_allclose(worlds.series["joins"][0], [61.6, 69.3, 77, 77], rtol=1e-6)


def test_one_day_and_days_outside_the_plan():
    """A day at 8: (6 + 8) / 7 = 2 of a week; days before the start and after the end do nothing."""
    worlds = run(
        {
            "day": {"from_day": "2026-07-16", "joins": 8, "kind": "shopping_festival"},
            "past": {"from_day": "2026-06-01", "to_day": "2026-07-05", "joins": 0},
            "later": {"from_day": "2026-08-03", "to_day": "2027-01-01", "joins": 0},
        }
    )
    np.testing.assert_allclose(worlds.series["joins"][0], [77, 154, 77, 77], rtol=1e-6)


def test_a_campaign_shapes_its_channels_and_costs_nothing_by_itself():
    """Seven days at 3 for notes alone: 70 + 21; entries on the same days multiply: × 0.5 for all is 45.5."""
    paid = {name: it | {"weekly_spend": 10} for name, it in CHANNELS.items()}
    own = {"from_day": "2026-07-13", "to_day": "2026-07-19", "joins": 3, "channels": ["notes"], "kind": "own_campaign"}
    worlds = run({"own": own}, channels=paid)
    np.testing.assert_allclose(worlds.series["joins"][0], [77, 91, 77, 77], rtol=1e-6)
    np.testing.assert_allclose(worlds.series["media"][0], 20)
    both = run({"own": own, "all": {"from_day": "2026-07-13", "to_day": "2026-07-19", "joins": 0.5}})
    np.testing.assert_allclose(both.series["joins"][0], [77, 45.5, 77, 77], rtol=1e-6)


def test_those_who_are_invited_come_by_the_calendar_too():
    invited = {"referral": {"invitations": 0.1, "joined_per_invited": 1}, "members_now": 1000, "active_now": 1}
    worlds = run({"rest": {"from_day": "2026-07-06", "to_day": "2026-07-12", "joins": 0}}, channels={}, **invited)
    assert worlds.series["joins"][0][:2].tolist() == pytest.approx([0, 100])


def test_leaving_changes_by_the_share_of_a_weeks_days():
    """Of 1,000 members a share exp(−0.1 · (4 + 3·2) / 7) stays over three days at 2: 1,000 · exp(−1 / 7)."""
    worlds = run({"rest": {"from_day": "2026-07-06", "to_day": "2026-07-08", "hazard": 2}}, step=0.1, channels={},
                 members_now=1000)  # fmt: skip
    members = worlds.series["members"][0]
    assert members[:2].tolist() == pytest.approx([1000 * np.exp(-1 / 7), 1000 * np.exp(-1 / 7 - 0.1)], rel=1e-6)


def test_a_calendar_that_changes_nothing_changes_nothing():
    """Factors of 1, and no calendar at all, give the same worlds."""
    bare, ones = run({}, step=0.1), run({"day": {"from_day": "2026-07-07", "to_day": "2026-07-20"}}, step=0.1)
    assert set(bare.series) == set(ones.series)
    for name, series in bare.series.items():
        np.testing.assert_array_equal(series, ones.series[name])


def test_unsure_days_are_in_the_register():
    told = dict(Scenario(scenario="s", start="2026-07-06", weeks=2,
                         calendar={"may": {"from_day": "2026-07-07", "joins": {"uniform": [0, 1]}}}).quantities())  # fmt: skip
    assert told["calendar.may.joins"].shape == "uniform"


def test_days_and_seats_have_words_of_their_own():
    given = plan(calendar={"may": {"name": {"en": "May Day"}, "from_day": "2026-07-07"}}, groups={"present": 3})
    for stream in ("calendar.may.joins", "calendar.may.hazard", "groups.present", "groups.weekly_most", "groups.cost"):
        assert name_stream(given, stream)["en"] != stream
    assert name_stream(given, "calendar.may.joins")["zh"].startswith("May Day：")
    assert [name_group(given, kind)["en"] for kind in ("calendar", "groups")] == [
        "holidays and campaigns",
        "groups and their seats",
    ]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{from_day: 2026-07-09, to_day: 2026-07-08}", "ends on 2026-07-08, before it begins on 2026-07-09"),
        ("{from_day: 2026-07-09, channels: [ad]}", "calendar.d.channels: nothing under channels is called 'ad'. Did you mean 'ads'"),
        ("{from_day: 2026-07-09, kind: feast}", "calendar.d.kind"),
        ("{to_day: 2026-07-09}", "calendar.d.from_day"),
    ],
)  # fmt: skip
def test_days_that_cannot_be_are_refused(tmp_path: Any, entry: str, told: str):
    file = tmp_path / "scenario.yml"
    route = "{visited_per_reached: 1, joined_per_visited: 1, active_per_joined: 1, bought_per_active: 0}"
    head = f"scenario: s\nstart: 2026-07-06\nweeks: 4\nfunnel: {{r: {route}}}\nchannels: {{ads: {{route: r}}}}\n"
    file.write_text(f"{head}calendar: {{d: {entry}}}\n")
    with pytest.raises(ConfigError) as refused:
        read_scenario(file)
    assert told in str(refused.value)
