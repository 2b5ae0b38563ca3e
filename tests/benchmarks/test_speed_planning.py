"""The limit of `bench_planning`, small enough for every run of the tests: a ratio, never seconds."""

from __future__ import annotations

from bench_planning import LIMIT, compare_in_turns, normals, our_schedule, ours


def test_worlds_cost_little_beyond_drawing_numbers():
    """Twelve thousand worlds; the best of five counts."""
    mine, base = ours(12_288), normals(12_288)
    mine()
    ratios: list[float] = []
    while len(ratios) < 5 and min(ratios, default=LIMIT + 1) > LIMIT:
        ratios.append(compare_in_turns(mine, base, repeats=1)[0])
    assert min(ratios) <= LIMIT, f"ours / numpy's normals: {[round(ratio, 1) for ratio in ratios]}"


def test_the_schedule_alone_is_the_smaller_part():
    """Drawing and timing 40 tasks is at most two fifths of living through the worlds."""
    ratio, _, _ = compare_in_turns(our_schedule(12_288), ours(12_288), repeats=3)
    assert ratio < 0.4
