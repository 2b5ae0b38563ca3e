"""One validated object from a community's YAML. Unknown keys are errors, and so is YAML that makes objects."""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from analysis.errors import ConfigError
from analysis.schema import TABLES

SETTINGS = "community.yml"
"""How a community's settings are called in its folder."""

Model = TypeVar("Model", bound=BaseModel)

Leaving = Literal["explicit", "first_silence", "last_seen"]
"""What counts as leaving: left the last group, first fell silent, or not seen since."""


@cache
def _timezones() -> frozenset[str]:
    """Return the names of all time zones: to list them takes as long as to read a small export."""
    return frozenset(available_timezones())


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


def _known_at(value: str) -> str:
    if not re.fullmatch(r"join|end|day \d{1,4}", value):
        raise ValueError("say 'join', 'day N' (known N days after joining) or 'end'")
    return value


KnownAt = Annotated[str, AfterValidator(_known_at)]


class Churn(_Section):
    """How leaving is defined and what is compared."""

    leaving: Leaving | None = Field(None, description="None chooses by the tables at hand")
    silent_days: int = Field(30, ge=1, le=3650, description="k: silent longer than this has left [days]")
    away_days: int = Field(7, ge=0, le=365, description="in no group for this long has left; sooner is moving [days]")
    tracking_from: dt.date | None = Field(None, description="first day watched; earlier joiners enter late")
    zero_day: Literal["keep", "drop"] = Field("keep", description="members last seen on the day they joined")
    cohort: Literal["week", "month"] | None = Field(None, description="None chooses by the number of joins")
    groupings: tuple[str, ...] = Field((), description="columns to compare; () takes all that are known at joining")
    rho: float = Field(0.0, ge=0, le=10, description="Fleming-Harrington weight S^rho (1-S)^gamma")
    gamma: float = Field(0.0, ge=0, le=10, description="Fleming-Harrington weight S^rho (1-S)^gamma")
    strata: tuple[str, ...] = Field((), description="columns within which the log-rank test compares")
    horizon_days: int = Field(90, ge=7, le=3650, description="how far restricted means reach [days]")


class Source(_Section):
    """One file: which table, which columns."""

    table: str
    columns: dict[str, str] = Field(default_factory=dict, description="our column -> header in the file")
    constants: dict[str, str] = Field(default_factory=dict, description="our column -> one value for every row")

    @field_validator("table")
    @classmethod
    def _known_table(cls, value: str) -> str:
        if value not in TABLES:
            raise ValueError(f"no table {value!r}: choose one of {', '.join(TABLES)}")
        return value


class Covariate(_Section):
    """A column of ``members``, and since when it is known: beyond the schema, or one of its own."""

    known_at: KnownAt = "end"
    kind: Literal["text", "number"] = "text"


class Community(_Section):
    """Everything that the suite needs to know of one community.

    Examples
    --------
    >>> Community(community="demo", timezone="Asia/Shanghai").churn.silent_days
    30
    """

    community: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="short name; folder under reports/")
    title: dict[Literal["en", "zh"], str] = Field(default_factory=dict)
    timezone: str = "Asia/Shanghai"
    currency: str = Field("CNY", pattern=r"^[A-Z]{3}$")
    locale: Literal["en", "zh"] = "zh"
    tables: Path = Field(Path("processed"), description="folder of the checked Parquet files, from this file's")
    min_cell: int = Field(10, ge=3, le=1000, description="groups below this are merged or suppressed [members]")
    churn: Churn = Churn()
    covariates: dict[str, Covariate] = Field(default_factory=dict)
    sources: dict[str, tuple[Source, ...]] = Field(default_factory=dict, description="file name pattern -> tables")
    shared_ids: tuple[tuple[str, ...], ...] = Field((), description="platforms whose member ids are the same person's")
    path: Path = Field(Path("community.yml"), exclude=True, description="where this was read from")

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in _timezones():
            raise ValueError("no such time zone: use an IANA name such as Asia/Shanghai")
        return value

    @field_validator("covariates")
    @classmethod
    def _identifiers(cls, value: dict[str, Covariate]) -> dict[str, Covariate]:
        for column in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", column):
                raise ValueError(f"{column!r}: use lower-case letters, digits and _")
        return value

    @model_validator(mode="before")
    @classmethod
    def _one_source_is_a_list_of_one(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("sources"), dict):
            sources = {k: [v] if isinstance(v, dict) else v for k, v in data["sources"].items()}
            data = {**data, "sources": sources}
        return data

    def churn_with(self, **given: Any) -> Churn:
        """Return the churn rules with the given ones put in; ``""``, 0 and None leave the community's own.

        Raises
        ------
        ConfigError
            A value outside its range.
        """
        chosen = {name: value for name, value in given.items() if value not in ("", 0, None)}
        return validate(Churn, {**self.churn.model_dump(), **chosen}, file=Path("parameters"))

    @property
    def tables_folder(self) -> Path:
        """The folder of the checked tables."""
        return self.path.parent / self.tables

    def title_in(self, locale: str) -> str:
        """The community's name in ``locale``, or its short name."""
        return {str(key): title for key, title in self.title.items()}.get(locale, self.community)


def read_config(path: str | Path) -> Community:
    """Return the community that a YAML file describes.

    A relative path is looked for from the working folder upwards, so that a notebook finds
    ``data/sample/community.yml`` whether it is run from the repository or from ``notebooks/``.

    Raises
    ------
    ConfigError
        No such file, not YAML, an unknown key, or a value outside its range; all of them at once.
    """
    file = find_upwards(Path(path))
    return validate(Community, {**read_yaml(file, start="community: NAME"), "path": file}, file=file)


def read_yaml(file: Path, *, start: str, as_text: bool = False) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; ``start`` is how a file of this kind begins.

    With ``as_text`` every scalar stays the text that it is, where YAML would make 83 of ``0123`` and False of ``no``.

    Raises
    ------
    ConfigError
        Not plain YAML, not UTF-8, or not a mapping.
    """
    try:
        data = yaml.load(file.read_text("utf-8-sig"), Loader=_TextLoader if as_text else _PlainLoader)  # noqa: S506 - SafeLoaders
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: not plain YAML: {error}. Write only text, numbers, lists and mappings.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not in UTF-8. Save it again as UTF-8.") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: holds no settings. Start with '{start}'.")
    return data


def validate(model: type[Model], data: dict[str, Any], *, file: Path) -> Model:
    """Return the settings as one validated object.

    Raises
    ------
    ConfigError
        Everything that is wrong with them, by key.
    """
    try:
        return model(**data)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(file, fault) for fault in error.errors())) from None


def find_upwards(path: Path) -> Path:
    """Return ``path``, looked for from the working folder upwards.

    Raises
    ------
    ConfigError
        Nowhere there.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / path).is_file():
            return folder / path
    if (path / SETTINGS).is_file():
        raise ConfigError(f"{path}: a folder. Its settings are {path / SETTINGS}: name that file.")
    raise ConfigError(f"{path}: no such file, here or in a folder above {Path.cwd().name}/. Check the path.")


def parse_day(value: str) -> int:
    """Return an ISO date as days since 1970-01-01.

    Raises
    ------
    ConfigError
        Not an ISO date.
    """
    try:
        return (dt.date.fromisoformat(value) - dt.date(1970, 1, 1)).days
    except ValueError:
        raise ConfigError(f"{value!r} is not a date: write it as YYYY-MM-DD.") from None


class _PlainLoader(yaml.SafeLoader):
    """YAML as its readers expect it: a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for n, (key, (place, _)) in enumerate(zip(keys, node.value, strict=True)):
            if key in keys[:n]:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", place.start_mark)
        return super().construct_mapping(node, deep)


class _TextLoader(_PlainLoader):
    """YAML without types: every scalar is text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as its base declares it


def _explain(file: Path, fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "settings"
    if fault["type"] == "extra_forbidden":
        return f"{file}: {place}: unknown key. Remove it, or check its spelling and where it stands."
    return f"{file}: {place}: {fault['msg'].removeprefix('Value error, ')}."
