"""The written forms of a result."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import OutputError
from edge.events import Event
from edge.quality import Quality, Reason
from edge.results import CSV_FIELDS, CsvWriter, JsonLinesWriter, Result, open_writer

RESULT = Result(
    source="a.wav",
    device="littmann3200",
    start_s=12.0,
    end_s=19.0,
    label="wheeze",
    probabilities={"normal": 0.08, "crackle": 0.05, "wheeze": 0.81, "both": 0.06},
    quality=Quality(()),
    model="common@1f0c",
    engine="onnxruntime-cpu-int8",
    latency_ms=6.1,
)
UNFIT = Result(
    source='b "2".wav',
    device="meditron",
    start_s=0.03612345,
    end_s=0.5,
    label=None,
    probabilities={"normal": 1 / 3, "crackle": 0.0, "wheeze": 2 / 3, "both": 0.0},
    quality=Quality((Reason("clipping", 0.123456, 0.01, "share"), Reason("gap", 0.5, 0.0, "s"))),
    model="common@1f0c",
    engine="onnxruntime-cpu-int8",
    latency_ms=6.123,
    cycle=3,
    annotated="both",
)


def test_a_result_is_the_line_of_the_contract() -> None:
    stream = io.StringIO()
    JsonLinesWriter(stream).write(RESULT)
    assert stream.getvalue() == (
        '{"schema": 1, "record": "result", "source": "a.wav", "device": "littmann3200", '
        '"start_s": 12.0, "end_s": 19.0, "label": "wheeze", '
        '"probabilities": {"normal": 0.08, "crackle": 0.05, "wheeze": 0.81, "both": 0.06}, '
        '"quality": {"ok": true, "reasons": []}, "model": "common@1f0c", "engine": "onnxruntime-cpu-int8", '
        '"latency_ms": 6.1, "intended_use": "research", "operating_point": null}\n'
    )


def test_an_unfit_cycle_has_no_label_but_its_reasons_and_annotation() -> None:
    stream = io.StringIO()
    JsonLinesWriter(stream).write(UNFIT)
    record = json.loads(stream.getvalue())
    assert record["label"] is None
    assert record["quality"] == {
        "ok": False,
        "reasons": [
            {"name": "clipping", "measured": 0.1235, "threshold": 0.01, "unit": "share"},
            {"name": "gap", "measured": 0.5, "threshold": 0.0, "unit": "s"},
        ],
    }
    assert (record["cycle"], record["annotated"]) == (3, "both")
    assert (record["start_s"], record["probabilities"]["normal"], record["latency_ms"]) == (0.0361, 0.3333, 6.12)


def test_csv_holds_the_same_in_a_row() -> None:
    stream = io.StringIO()
    writer = CsvWriter(stream, JsonLinesWriter(io.StringIO()))
    writer.write(RESULT)
    writer.write(UNFIT)
    fit, unfit = csv.DictReader(io.StringIO(stream.getvalue()))
    assert tuple(fit) == CSV_FIELDS
    assert (fit["label"], fit["wheeze"], fit["quality_ok"], fit["cycle"], fit["annotated"]) == (
        "wheeze", "0.81", "true", "", "",
    )  # fmt: skip
    assert (unfit["source"], unfit["label"], unfit["quality_ok"], unfit["quality_reasons"]) == (
        'b "2".wav', "", "false", "clipping gap",
    )  # fmt: skip
    assert (unfit["cycle"], unfit["annotated"], unfit["intended_use"]) == ("3", "both", "research")


LOST = Event("source-lost", "mic:Line", 12.34567, 14.0, {"attempt": 2})


def test_an_event_is_a_line_of_its_own_kind() -> None:
    stream = io.StringIO()
    writer = JsonLinesWriter(stream)
    writer.write(RESULT)
    writer.write_event(LOST)
    result, event = map(json.loads, stream.getvalue().splitlines())
    assert (result["record"], event["record"]) == ("result", "event")
    assert {key: event[key] for key in ("event", "source", "start_s", "end_s", "attempt")} == {
        "event": "source-lost", "source": "mic:Line", "start_s": 12.3457, "end_s": 14.0, "attempt": 2,
    }  # fmt: skip


def test_events_lie_beside_a_csv_file(tmp_path: Path) -> None:
    with open_writer(str(tmp_path / "out.csv")) as writer:
        writer.write(RESULT)
        writer.write_event(LOST)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2
    assert json.loads((tmp_path / "out.events.jsonl").read_text())["event"] == "source-lost"


def test_only_the_owner_may_read_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "out.csv").touch(mode=0o644)
    previous = os.umask(0)
    try:
        with open_writer(str(tmp_path / "out.csv")):
            pass
    finally:
        os.umask(previous)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "out.csv": 0o600, "out.events.jsonl": 0o600,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_every_result_reaches_the_file_at_once(tmp_path: Path, name: str) -> None:
    with open_writer(str(tmp_path / name)) as writer:
        writer.write(RESULT)
        first = (tmp_path / name).read_text()
        writer.write(UNFIT)
        assert (tmp_path / name).read_text().startswith(first)
        assert "wheeze" in first
        assert len((tmp_path / name).read_text()) > len(first)


@pytest.mark.parametrize("name", ["out.txt", "recording.wav", "out"])
def test_another_ending_is_refused_before_anything_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(OutputError, match=r"\.jsonl or \.csv"), open_writer(str(tmp_path / name)):
        pass
    assert (tmp_path / name).read_text() == "precious"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    target = tmp_path / "no" / "such" / "out.jsonl"
    with pytest.raises(OutputError, match=r"out\.jsonl: cannot be written \(No such file"), open_writer(str(target)):
        pass


def test_a_dash_is_standard_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_writer("-") as writer:
        writer.write(RESULT)
    assert json.loads(capsys.readouterr().out)["label"] == "wheeze"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_file_name_that_is_no_text_is_written_all_the_same(tmp_path: Path, ending: str) -> None:
    source = os.fsdecode(b"caf\xe9.wav")
    with open_writer(str(tmp_path / f"out.{ending}")) as writer:
        writer.write(replace(RESULT, source=source))
    content = (tmp_path / f"out.{ending}").read_bytes()
    if ending == "jsonl":
        assert json.loads(content)["source"] == source
    else:
        assert b"caf\xe9.wav" in content
