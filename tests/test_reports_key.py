"""The sign of what a page depends on."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pytest

from analysis.config import Community
from analysis.reports import key


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "members.parquet"
    path.write_bytes(b"rows")
    return path


def age(path):
    """Make a file as old as most files are."""
    long_ago = time.time() - 100
    os.utime(path, (long_ago, long_ago))


def test_a_file_is_read_once_while_size_and_time_stay_and_again_when_they_do_not(tmp_path, table, monkeypatch):
    age(table)
    memory = tmp_path / "memory.json"
    known = key.Fingerprints(memory)
    first = known.of(table)
    assert first == hashlib.sha256(b"rows").hexdigest()
    known.save()
    assert str(tmp_path) not in memory.read_text("utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(key.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
        assert key.Fingerprints(memory).of(table) == first
    table.write_bytes(b"ROWS")
    assert key.Fingerprints(memory).of(table) != first


def test_a_file_changed_just_now_is_not_remembered(tmp_path, table):
    """Written again within the grain of the clock, it would have kept size and time of change."""
    known = key.Fingerprints(tmp_path / "memory.json")
    known.of(table)
    known.save()
    assert not (tmp_path / "memory.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_damaged_memory_is_no_obstacle(tmp_path, table, content):
    (tmp_path / "memory.json").write_text(content)
    assert len(key.Fingerprints(tmp_path / "memory.json").of(table)) == 64


def test_inputs_are_tables_ledger_and_settings_by_name(tmp_path):
    for name in ("community.yml", "scenario.yml", "processed/members.parquet", "processed/imports.json", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    community = Community(community="demo", path=tmp_path / "community.yml")
    signs = key.sign_inputs(community, key.Fingerprints(tmp_path / "memory.json"))
    assert sorted(signs) == ["community.yml", "imports.json", "members.parquet", "scenario.yml"]


def test_files_that_parameters_name_are_inputs_too(tmp_path):
    for name in ("then.yml", "other.yml"):
        (tmp_path / name).write_text(name)
    values = {"previous": "then.yml", "beside": ["other.yml", "nowhere.yml"], "k": 30, "community": "then.yml"}
    fingerprints = key.Fingerprints(tmp_path / "memory.json")
    signs = key.sign_named(values, fingerprints, root=tmp_path)
    assert sorted(signs) == ["other.yml", "then.yml"]
    (tmp_path / "other.yml").write_text("otter.yml")
    again = key.sign_named(values, fingerprints, root=tmp_path)
    assert [again[name] == signs[name] for name in sorted(signs)] == [False, True]
    assert key.sign_named({"community": "then.yml"}, fingerprints, root=tmp_path) == {}


def sign(tmp_path, *, source="x = 1", **changes):
    notebook = tmp_path / "n.ipynb"
    notebook.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source, "metadata": {}}]}))
    given = {
        "values": {"k": 30, "community": "/a/community.yml"},
        "community": Community(community="demo", path=tmp_path / "community.yml"),
        "inputs": {"members.parquet": "ab"},
        "locales": ("en", "zh"),
    } | changes
    return key.sign_task(notebook, given.pop("values"), **given)


def test_each_part_changes_the_sign_and_where_the_files_lie_does_not(tmp_path):
    first = sign(tmp_path)
    assert sign(tmp_path) == first
    assert sign(tmp_path, values={"k": 30, "community": "/b/community.yml"}) == first
    others = [
        sign(tmp_path, source="x = 2"),
        sign(tmp_path, values={"k": 31}),
        sign(tmp_path, values={"k": "30"}),
        sign(tmp_path, community=Community(community="demo", min_cell=11)),
        sign(tmp_path, inputs={"members.parquet": "ac"}),
        sign(tmp_path, locales=("en",)),
    ]
    assert len({first, *others}) == 7


def test_the_package_s_own_source_counts(tmp_path, monkeypatch):
    module = tmp_path / "reports" / "key.py"
    module.parent.mkdir()
    module.write_text("a = 1")
    monkeypatch.setattr(key, "__file__", str(module))
    first = key.sign_package.__wrapped__()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/x.pyc").write_text("compiled")
    assert key.sign_package.__wrapped__() == first
    (tmp_path / "locales.toml").write_text("a = 'b'")
    assert key.sign_package.__wrapped__() != first


def test_an_installed_package_of_another_version_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    first = key.sign_environment.__wrapped__()
    (tmp_path / "pandas-9.9.dist-info").mkdir()
    assert key.sign_environment.__wrapped__() != first
