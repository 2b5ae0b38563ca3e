"""The parameters of a notebook, read from its own cell and checked before any kernel starts.

papermill only warns of an unknown name, guesses types from the text (``0123`` becomes 123) and reads the
cell by a pattern that loses half of ordinary Python. So the cell is parsed, and text becomes what the
annotation says.
"""

from __future__ import annotations

import ast
import difflib
import io
import json
import keyword
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import ConfigError

TAG = "parameters"
RUNNER_SETS = {"community": "the configuration file", "as_of": "--as-of", "locale": "--locale", "out_dir": ""}
"""What the runner itself hands to every notebook, and how a user chooses it instead."""

_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One line of a parameters cell.

    Attributes
    ----------
    annotation
        As written, ``"int | None"``; where none is written, the type of the default.
    comment
        What stands behind it on its last line: meaning and unit.
    """

    name: str
    annotation: str
    default: Any
    comment: str = ""


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """Return what a notebook declares in its cell tagged ``parameters``, by name and in order.

    Raises
    ------
    ConfigError
        Not a notebook, or the cell holds anything but names and literals.
    """
    source = _parameters_source(notebook)
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ConfigError(
            f"{notebook.name}: parameters cell, line {error.lineno}: {error.msg}. Write NAME: TYPE = LITERAL."
        ) from None
    comments = _comments(source)
    declared = [_declare(notebook, statement, comments) for statement in tree.body if not _is_docstring(statement)]
    return {parameter.name: parameter for parameter in declared}


def match_notebooks(notebooks: Iterable[Path], names: Sequence[str]) -> list[Path]:
    """Return the notebooks that ``names`` mean, in running order; all of them where no name is given.

    A name is the file's, with or without number and ending: ``01_churn_survival`` or ``churn_survival``.

    Raises
    ------
    ConfigError
        A name that no notebook has.
    """
    available = sorted(notebooks)
    wanted = {find_notebook(available, name) for name in names}
    return [notebook for notebook in available if notebook in wanted or not names]


def find_notebook(notebooks: Sequence[Path], name: str) -> Path:
    """Return the one notebook that ``name`` means.

    Raises
    ------
    ConfigError
        None of them.
    """
    wanted = name.removesuffix(".ipynb")
    for notebook in notebooks:
        if wanted in (notebook.stem, short_name(notebook.stem)):
            return notebook
    known = [short_name(notebook.stem) for notebook in notebooks]
    raise ConfigError(f"{name!r}: no such notebook. {_suggest(wanted, known)}")


def short_name(stem: str) -> str:
    """Return a notebook's name without its number.

    Examples
    --------
    >>> short_name("01_churn_survival")
    'churn_survival'
    """
    return re.sub(r"^\d+_", "", stem)


def check_parameters(
    given: Sequence[str], declared: Mapping[Path, Mapping[str, Parameter]]
) -> dict[Path, dict[str, Any]]:
    """Return the values given on a command line, by notebook, each of its declared type.

    Parameters
    ----------
    given
        ``NOTEBOOK.NAME=VALUE``, as typed.
    declared
        What every notebook of the run declares.

    Raises
    ------
    ConfigError
        All faults at once: unknown notebook or name, wrong type, given twice, set by the runner.
    """
    values: dict[Path, dict[str, Any]] = {notebook: {} for notebook in declared}
    faults = []
    for text in given:
        try:
            notebook, name, value = _check_one(text, declared)
            if name in values[notebook]:
                raise ConfigError(f"{notebook.stem}.{name}: given twice. Keep one.")
            values[notebook][name] = value
        except ConfigError as fault:
            faults.append(str(fault))
    if faults:
        raise ConfigError("\n".join(faults))
    return values


def check_set(
    given: Mapping[str, str | list[str]], declared: Mapping[str, Parameter], *, notebook: str
) -> dict[str, Any]:
    """Return the values of one notebook as a plan file gives them, each of its declared type.

    Parameters
    ----------
    given
        Text by name, or a list of texts.
    declared
        What the notebook declares.

    Raises
    ------
    ConfigError
        All faults at once.
    """
    values, faults = {}, []
    for name, value in given.items():
        try:
            text = value if isinstance(value, str) else json.dumps(value)
            values[name] = _check_named(notebook, name, text, declared)
        except ConfigError as fault:
            faults.append(str(fault))
    if faults:
        raise ConfigError("\n".join(faults))
    return values


def convert(text: str, annotation: str) -> Any:
    """Return ``text`` as the type that an annotation names.

    Raises
    ------
    ValueError
        It cannot be one; the message says what to write.

    Examples
    --------
    >>> convert("0123", "str"), convert("60", "int"), convert("a, b", "list[str]"), convert("none", "int | None")
    ('0123', 60, ['a', 'b'], None)
    """
    options = _options(annotation)
    if "None" in options and text.strip().lower() in ("none", "null", ""):
        return None
    faults = []
    for option in options:
        try:
            return _convert_one(text, option)
        except ValueError as fault:
            faults.append(str(fault))
    raise ValueError(" or ".join(dict.fromkeys(faults)))


def _check_one(text: str, declared: Mapping[Path, Mapping[str, Parameter]]) -> tuple[Path, str, Any]:
    place, equals, value = text.partition("=")
    stem, dot, name = place.partition(".")
    if not (equals and dot):
        raise ConfigError(f"{text!r}: not a parameter. Write NOTEBOOK.NAME=VALUE.")
    notebook = find_notebook(list(declared), stem)
    return notebook, name, _check_named(notebook.stem, name, value, declared[notebook])


def _check_named(stem: str, name: str, value: str, declared: Mapping[str, Parameter]) -> Any:
    here = f"{stem}.{name}"
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ConfigError(f"{stem}: {name!r} cannot be the name of a parameter. Use letters, digits and _.")
    if name in RUNNER_SETS:
        remedy = f"Use {RUNNER_SETS[name]}." if RUNNER_SETS[name] else "Leave it out."
        raise ConfigError(f"{here}: the run itself sets this. {remedy}")
    if name not in declared:
        names = [known for known in declared if known not in RUNNER_SETS]
        raise ConfigError(f"{here}: the notebook declares no such parameter. {_suggest(name, names)}")
    annotation = declared[name].annotation
    try:
        return convert(value, annotation)
    except ValueError as fault:
        raise ConfigError(f"{here}: {value!r} is not {annotation}. Write {fault}.") from None


def _convert_one(text: str, annotation: str) -> Any:
    kind, _, inner = annotation.partition("[")
    if kind in ("list", "tuple", "Sequence"):
        return _convert_list(text, inner.removesuffix("]").split(",")[0].strip() or "str")
    if kind == "Literal":
        return _choose(text, ast.literal_eval(f"[{inner}"))
    if kind == "bool":
        return _choose(text.strip().lower(), {"true": True, "false": False})
    if kind == "int" and _WHOLE.fullmatch(text.strip()):
        return int(text)
    if kind == "float" and _NUMBER.fullmatch(text.strip()):
        return float(text)
    if kind == "str":
        return text
    if kind == "dict":
        return _read_json(text, dict)
    raise ValueError({"int": "a whole number such as 30", "float": "a number such as 0.5"}.get(kind, "a known type"))


def _convert_list(text: str, inner: str) -> list[Any]:
    if text.lstrip().startswith("["):
        items = _read_json(text, list)
        return [_convert_one(item if isinstance(item, str) else json.dumps(item), inner) for item in items]
    return [_convert_one(item.strip(), inner) for item in text.split(",") if item.strip()]


def _read_json(text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, kind):
        raise ValueError('a list such as a,b or ["a", "b"]' if kind is list else 'a mapping such as {"a": 1}')
    return value


def _choose(text: str, choices: Mapping[str, Any] | Sequence[Any]) -> Any:
    known = dict(choices) if isinstance(choices, Mapping) else {str(choice): choice for choice in choices}
    if text not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return known[text]


def _options(annotation: str) -> list[str]:
    """Split ``int | None`` and ``Optional[int]`` into their parts."""
    optional = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]", annotation)
    if optional:
        return [optional[1], "None"]
    tree = ast.parse(annotation, mode="eval").body
    parts: list[str] = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
        parts.insert(0, ast.unparse(tree.right))
        tree = tree.left
    options = [ast.unparse(tree), *parts]
    return [option for option in options if option != "None"] + ["None"] * ("None" in options)


def _parameters_source(notebook: Path) -> str:
    try:
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{notebook.name}: not a notebook. Open it in JupyterLab and save it again.") from None
    tagged = [cell for cell in cells if TAG in cell.get("metadata", {}).get("tags", ())]
    if not tagged:
        return ""
    return "".join(tagged[0]["source"])


def _declare(notebook: Path, statement: ast.stmt, comments: Mapping[int, str]) -> Parameter:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=note, value=ast.expr() as value):
            annotation = note.value if isinstance(note, ast.Constant) else ast.unparse(note)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            annotation = ""
        case _:
            raise ConfigError(
                f"{notebook.name}: parameters cell, line {statement.lineno}: not NAME: TYPE = LITERAL. "
                "Move computation to a later cell."
            )
    try:
        default = _literal(value)
    except ValueError:
        raise ConfigError(
            f"{notebook.name}: parameter {name}: its default is not a literal. Move computation to a later cell."
        ) from None
    comment = comments.get(statement.end_lineno or statement.lineno, "")
    return Parameter(name=name, annotation=str(annotation) or type(default).__name__, default=default, comment=comment)


def _literal(value: ast.expr) -> Any:
    """Evaluate a literal; ``dict(a=1)`` counts as one, as people write it."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict" and not value.args:
        return {word.arg: ast.literal_eval(word.value) for word in value.keywords if word.arg}
    return ast.literal_eval(value)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _suggest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Choose one of {', '.join(known)}." if known else "It has none that can be given."
