"""An archive of daily looks at WeCom groups, as ``groupchat/get`` answers them, with the truth that no look shows.

Who joins and leaves between two looks is never seen, as in a real archive. The chance of leaving falls with tenure, in steps, and
is the same in all groups. One file a day, one answer a line, written as it is drawn.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_DAY = 86_400
_STATES = ("douyin_0103", "xiaohongshu_0107", "")
_SCENES = (3, 3, 2)


@dataclass(frozen=True, kw_only=True)
class ArchiveParameters:
    """What an archive is drawn from.

    Parameters
    ----------
    n_groups, n_looks
        Groups, and daily looks at each.
    first_look
        Midnight in Shanghai before the first look [epoch seconds]; looks are taken at 03:00.
    joins_per_day
        Mean joins to a group and day, from ``days_before`` the first look on.
    days_before
        Days of joins before the first look: whoever is still there then enters late.
    hazards
        (first day of tenure, chance of leaving a day from then on), in order.
    share_back
        Share of leavers who come back, between 8 and 20 days later.
    share_union
        Share of members with a unionid.
    dissolved, handed_over
        Groups that are dissolved, or get another owner, at the middle of the archive.
    """

    n_groups: int = 300
    n_looks: int = 90
    first_look: int = 1_767_542_400
    joins_per_day: float = 0.5
    days_before: int = 60
    hazards: tuple[tuple[float, float], ...] = ((0, 0.06), (7, 0.02), (30, 0.006))
    share_back: float = 0.05
    share_union: float = 0.7
    dissolved: int = 3
    handed_over: int = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class ArchiveTruth:
    """What is true of an archive.

    Parameters
    ----------
    parameters
        From which it was drawn.
    survival
        S(t) of a stay by days of tenure: ``day, survival``.
    stays
        One row per stay that lasted to the first look or began later: ``userid, unionid, group_id, joined, left`` [epoch
        seconds; left is nan beyond the last look], ``n_looks`` that show it.
    """

    parameters: ArchiveParameters
    survival: pd.DataFrame
    stays: pd.DataFrame


def write_archive(
    folder: Path, *, rng: np.random.Generator, parameters: ArchiveParameters | None = None
) -> ArchiveTruth:
    """Write an archive as ``<folder>/<date>T0300.jsonl.gz``, one file a look; return its truth.

    Parameters
    ----------
    folder
        Made where absent.
    rng
        Source of chance: the same state, the same bytes.
    parameters
        By default 90 daily looks at 300 groups.
    """
    p = parameters or ArchiveParameters()
    stays = _draw_stays(rng, p)
    folder.mkdir(parents=True, exist_ok=True)
    n_looks = np.zeros(len(stays), dtype=int)
    listed = np.array([_member(row) for row in stays.itertuples()], dtype=object)
    for look in range(p.n_looks):
        taken = p.first_look + look * _DAY + 3 * 3600
        present = ((stays["joined"] <= taken) & ~(stays["left"] <= taken)).to_numpy()
        n_looks += present
        name = pd.Timestamp(taken, unit="s", tz="Asia/Shanghai").strftime("%Y-%m-%dT%H%M")
        with (folder / f"{name}.jsonl.gz").open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
            cuts = np.searchsorted(stays["group"].to_numpy()[present], np.arange(1, p.n_groups))
            for number, members in enumerate(np.split(listed[present], cuts)):
                file.write(_answer(number, members, look, p).encode() + b"\n")
    last = p.first_look + (p.n_looks - 1) * _DAY + 3 * 3600
    stays = stays.assign(n_looks=n_looks, left=stays["left"].where(stays["left"] <= last))
    days = np.arange(p.n_looks + 1)
    survival = pd.DataFrame({"day": days, "survival": np.exp(-_cumulative(days, p))})
    return ArchiveTruth(parameters=p, survival=survival, stays=stays)


def _draw_stays(rng: np.random.Generator, p: ArchiveParameters) -> pd.DataFrame:
    """Return all stays that reach the first look or begin after it."""
    n_days = p.days_before + p.n_looks
    per_group = rng.poisson(p.joins_per_day * n_days, p.n_groups)
    group = np.repeat(np.arange(p.n_groups), per_group)
    n = len(group)
    joined = rng.uniform(-p.days_before, p.n_looks, n)
    left = joined + _draw_tenures(rng, n, p)
    back = rng.random(n) < p.share_back
    again = left[back] + rng.uniform(8, 20, back.sum())
    person = np.concatenate([np.arange(n), np.flatnonzero(back)])
    rows = pd.DataFrame(
        {
            "userid": [f"wm{number:07d}" for number in person],
            "unionid": np.where(rng.random(n) < p.share_union, [f"o{number:07d}" for number in range(n)], "")[person],
            "channel": rng.integers(0, len(_STATES), n)[person],
            "group": np.concatenate([group, group[back]]),
            "joined": np.concatenate([joined, again]),
            "left": np.concatenate([left, again + _draw_tenures(rng, len(again), p)]),
        }
    )
    middle = p.n_looks // 2
    rows["left"] = rows["left"].where(rows["group"] >= p.dissolved, np.minimum(rows["left"], middle))
    rows = rows[(rows["left"] > 0.125) & (rows["left"] > rows["joined"]) & (rows["joined"] < p.n_looks)]
    for name in ("joined", "left"):
        rows[name] = np.floor(p.first_look + rows[name] * _DAY)
    rows = rows.astype({"joined": "int64"}).sort_values(["group", "joined", "userid"], ignore_index=True)
    return rows.assign(group_id=[_name(number) for number in rows["group"]])


def _draw_tenures(rng: np.random.Generator, n: int, p: ArchiveParameters) -> np.ndarray:
    """Return days of tenure under hazards that change in steps, by inversion of the cumulative hazard."""
    starts = np.array([start for start, _ in p.hazards], dtype=float)
    rates = np.array([rate for _, rate in p.hazards])
    reached = np.concatenate([[0.0], np.cumsum(rates[:-1] * np.diff(starts))])
    drawn = rng.exponential(size=n)
    step = np.searchsorted(reached, drawn, side="right") - 1
    return np.asarray(starts[step] + (drawn - reached[step]) / rates[step])


def _cumulative(days: np.ndarray, p: ArchiveParameters) -> np.ndarray:
    """Return the cumulative hazard by days of tenure."""
    ends = [start for start, _ in p.hazards[1:]] + [np.inf]
    parts = [
        rate * np.clip(np.minimum(days, end) - start, 0, None)
        for (start, rate), end in zip(p.hazards, ends, strict=True)
    ]
    return np.asarray(np.sum(parts, axis=0))


def _answer(number: int, members: Iterable[str], look: int, p: ArchiveParameters) -> str:
    late = look >= p.n_looks // 2
    if late and number < p.dissolved:
        return _written({"errcode": 49008, "errmsg": "group dismissed", "chat_id": _name(number)})
    owner = f"staff{number % 20 + (100 if late and p.dissolved <= number < p.dissolved + p.handed_over else 0)}"
    created = p.first_look - (p.days_before + 1) * _DAY
    staff = {"userid": owner, "type": 1, "join_time": created, "join_scene": 1}
    chat = {"chat_id": _name(number), "name": f"Group {number}", "owner": owner, "create_time": created}
    listed = ",".join([_written(staff), *members])
    head = _written({"errcode": 0, "errmsg": "ok", "group_chat": chat}).removesuffix("}}")
    return f'{head},"member_list":[{listed}]}}}}'


def _member(row: Any) -> str:
    member = {"userid": row.userid, "type": 2, "join_time": row.joined, "join_scene": _SCENES[row.channel], "name": "x"}
    union = {"unionid": row.unionid} if row.unionid else {}
    state = {"state": _STATES[row.channel]} if _STATES[row.channel] else {}
    return _written({**member, **union, **state})


def _written(data: Mapping[str, object]) -> str:
    return json.dumps(data, separators=(",", ":"))


def _name(number: int) -> str:
    return f"wrSIMULATED{number:05d}"
