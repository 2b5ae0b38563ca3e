"""Which table a file feeds, and which header is which of our columns.

The configuration's ``sources:`` decides where it speaks; elsewhere synonyms do (``Column.headers``, then the weaker
``Column.fallbacks``). What nobody asks for is not taken: names and telephone numbers never enter.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.config import Community, Source
from analysis.errors import Problem, SchemaError
from analysis.intake.files import Staged
from analysis.schema import TABLES, Column, Kind

Match = tuple[str, dict[str, str], dict[str, str]]
"""Table; our column -> header; our column -> one value for every row."""


LOOKED_AT = ("snapshots", "taken_at")
"""The one column that the day of an export stands for."""


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """How a file's headers fit one table."""

    table: str
    columns: dict[str, str]
    rivals: dict[str, list[str]] = field(default_factory=dict)
    day: str = ""

    @property
    def found(self) -> set[str]:
        return set(self.columns) | set(self.rivals)

    @property
    def given(self) -> dict[str, str]:
        """What the day of the export says where no column does: a look was taken on it."""
        table, column = LOOKED_AT
        return {column: self.day} if self.day and self.table == table and column not in self.found else {}

    @property
    def lacking(self) -> list[str]:
        return [name for name in TABLES[self.table].required if name not in self.found and name not in self.given]

    @property
    def weight(self) -> tuple[int, int]:
        """What a table asks for says more than what it allows."""
        return len(TABLES[self.table].required), len(self.found)


def match_table(staged: Staged, community: Community) -> Match:
    """Return the one table that a file feeds, its columns and its constants.

    Raises
    ------
    SchemaError
        As :func:`match_tables`; or the file feeds several tables.
    """
    matches = match_tables(staged, community)
    if len(matches) > 1:
        tables = ", ".join(table for table, _, _ in matches)
        rule = f"mapped to several tables ({tables}) where one is wanted"
        raise SchemaError([Problem(file=staged.file, rule=rule, remedy="Leave one of them in community.yml")])
    return matches[0]


def match_tables(staged: Staged, community: Community, *, day: str = "") -> list[Match]:
    """Return the tables that a file feeds: by ``sources:`` one or more, by its headers one.

    Parameters
    ----------
    staged
        The file; a sheet of a workbook is also known by the book's own name.
    community
        ``sources`` and ``covariates`` are read.
    day
        ISO date of the export, from its name or ``--taken-at``; "" where it is unknown. Looks without a column that says
        when they were taken were taken on it.

    Raises
    ------
    SchemaError
        No table fits or several fit alike; a required column is missing; two headers mean one column; a mapping
        names a column or a header that is not there. All of them at once.
    """
    sources = _sources_for(staged, community)
    if not sources:
        table = _choose_table(staged, community, day)
        sources = (Source(table=table),)
    matches, problems = [], []
    for source in sources:
        match, faults = _apply(staged, source, community, day)
        matches.append(match)
        problems += faults
    if problems:
        raise SchemaError(problems)
    return matches


def normalised(header: str) -> str:
    """Return a header as it is compared: case, width, white space, hyphens and underscores do not count.

    Examples
    --------
    >>> normalised(" Join－Time "), normalised("成员ＩＤ")
    ('join_time', '成员id')
    """
    text = unicodedata.normalize("NFKC", header).replace("\u200b", "").replace("\ufeff", "")
    return re.sub(r"[\s_-]+", "_", text.strip().lower())


def _meant(header: str, headers: Sequence[str]) -> str:
    """Return a header as it is compared; one that stands there a second time means what the first means."""
    words = [normalised(each) for each in headers]
    base, _, number = normalised(header).rpartition("_(")
    return base if base in words and number.removesuffix(")").isdigit() else normalised(header)


def _sources_for(staged: Staged, community: Community) -> tuple[Source, ...]:
    names = [staged.file, staged.file.partition("#")[0]]
    for name in names:
        if name in community.sources:
            return community.sources[name]
    for pattern, sources in community.sources.items():
        if any(fnmatch.fnmatchcase(name, pattern) for name in names):
            return sources
    return ()


def _apply(staged: Staged, source: Source, community: Community, day: str) -> tuple[Match, list[Problem]]:
    """Return the match that one source declares, its gaps filled by synonyms, and what is wrong with it."""
    problems = []
    known = {**TABLES[source.table].columns, **_covariates(source.table, community)}
    for name in [*source.columns, *source.constants]:
        if name not in known:
            rule = f"sources maps {name!r}, which {source.table} does not have"
            remedy = f"Use one of {', '.join(known)}; or declare it under covariates (members only)"
            problems.append(Problem(file=staged.file, column=name, rule=rule, remedy=remedy))
    by_name = {normalised(header): header for header in reversed(staged.headers)}
    columns = {}
    for name, wanted in source.columns.items():
        header = wanted if wanted in staged.headers else by_name.get(normalised(wanted))
        if header is None:
            rule = f"sources takes {name} from it, and the file has no such header"
            remedy = (
                f"Export it with this column; or correct the line of {name} in community.yml under sources, or take it out. "
                f"Its headers are: {', '.join(staged.headers)}"
            )
            problems.append(Problem(file=staged.file, column=wanted, rule=rule, remedy=remedy))
        else:
            columns[name] = header
    fit = _fit(source.table, staged.headers, community, fixed=columns, skip=source.constants, day=day)
    problems += [_rival_problem(staged, fit.table, name, headers) for name, headers in fit.rivals.items()]
    problems += [
        _lacking_problem(staged, fit.table, name)
        for name in fit.lacking
        if name not in source.constants and name not in source.columns
    ]
    return (source.table, fit.columns, {**fit.given, **source.constants}), problems


def _choose_table(staged: Staged, community: Community, day: str) -> str:
    """Return the table that the file's name and headers speak for."""
    fits = [_fit(table, staged.headers, community, day=day) for table in TABLES]
    word = _words_of(staged.file)
    named = [fit for fit in fits if fit.table in word]
    whole = [fit for fit in named or fits if not fit.lacking and (named or _convinces(fit, fits))]
    if not whole:
        closest = max(named or fits, key=lambda fit: (len(fit.found) - 2 * len(fit.lacking), word.get(fit.table, 0)))
        gaps = [_lacking_problem(staged, closest.table, name) for name in closest.lacking if named or closest.found]
        raise SchemaError(gaps or [_unclear(staged, fits)])
    ranks = {fit.table: (*fit.weight, word.get(fit.table, 0)) for fit in whole}
    best = max(ranks.values())
    if sum(rank == best for rank in ranks.values()) > 1:
        raise SchemaError([_unclear(staged, [fit for fit in whole if ranks[fit.table] == best])])
    return next(table for table, rank in ranks.items() if rank == best)


def _words_of(file: str) -> dict[str, int]:
    """Return the tables that a file's name speaks for, with the length of the word; membership does not say member."""
    name = normalised(file)
    words = {table: [word for word in spec.files if word in name] for table, spec in TABLES.items()}
    longest = {table: max(found, key=len) for table, found in words.items() if found}
    return {
        table: len(word)
        for table, word in longest.items()
        if not any(word != other and word in other for other in longest.values())
    }


def _convinces(fit: _Fit, fits: Sequence[_Fit]) -> bool:
    """Return whether headers alone may choose a table: two columns at least, and whoever has members is about them."""
    has_members = any("member_id" in other.found for other in fits)
    return len(fit.found) > 1 and (not has_members or any(n.endswith("member_id") for n in fit.found))


def _covariates(table: str, community: Community) -> dict[str, Column]:
    return {name: Column(kind=Kind.TEXT, note="") for name in community.covariates} if table == "members" else {}


def _fit(
    table: str,
    headers: Sequence[str],
    community: Community,
    *,
    fixed: Mapping[str, str] | None = None,
    skip: Mapping[str, str] | None = None,
    day: str = "",
) -> _Fit:
    """Match headers to a table's columns: own names, synonyms, then fallbacks where a column has nothing yet."""
    columns = dict(fixed or {})
    rivals: dict[str, list[str]] = {}
    free = {header: _meant(header, headers) for header in headers if header not in columns.values()}
    wanted = {**_covariates(table, community), **TABLES[table].columns}
    wanted = {n: column for n, column in wanted.items() if n not in columns and n not in (skip or {})}
    for synonyms in (lambda column: column.headers, lambda column: column.fallbacks):
        for name, column in wanted.items():
            if name in columns or name in rivals:
                continue
            words = {normalised(word) for word in (name, *synonyms(column))}
            found = [header for header, word in free.items() if word in words]
            for header in found:
                del free[header]
            if len(found) == 1:
                columns[name] = found[0]
            elif found:
                rivals[name] = found
    return _Fit(table=table, columns=columns, rivals=rivals, day=day)


def _rival_problem(staged: Staged, table: str, name: str, headers: Sequence[str]) -> Problem:
    rule = f"{len(headers)} headers mean {name} of {table}"
    remedy = f"Map one of them in community.yml:\n{_block(staged.file, table, name, headers[0])}"
    return Problem(file=staged.file, column=", ".join(headers), rule=rule, remedy=remedy)


def _lacking_problem(staged: Staged, table: str, name: str) -> Problem:
    rule = f"no header means {name}, which {table} requires"
    dated = (
        "; put the day into the file's name (2026-01-05), or give it as --taken-at"
        if (table, name) == LOOKED_AT
        else ""
    )
    remedy = (
        f"Add it to the export{dated}; or say in community.yml which header it is, or which table this is:\n"
        f"{_block(staged.file, table, name, 'HEADER')}\nIts headers are: {', '.join(staged.headers)}"
    )
    return Problem(file=staged.file, column=name, rule=rule, remedy=remedy)


def _unclear(staged: Staged, fits: Sequence[_Fit]) -> Problem:
    best = sorted(fits, key=lambda fit: (len(fit.lacking), -len(fit.found)))[:3]
    if not best[0].found:
        best = [_Fit(table="TABLE", columns={}), *fits]
    tables = ", ".join(fit.table for fit in best if fit.table != "TABLE")
    rule = f"its name and headers do not tell which table it is ({tables}?)"
    block = f'sources:\n  "{staged.file}":\n    table: {best[0].table}'
    remedy = f"Say it in community.yml:\n{block}\nIts headers are: {', '.join(staged.headers)}"
    return Problem(file=staged.file, rule=rule, remedy=remedy)


def _block(file: str, table: str, name: str, header: str) -> str:
    return f'sources:\n  "{file}":\n    table: {table}\n    columns:\n      {name}: "{header}"'
