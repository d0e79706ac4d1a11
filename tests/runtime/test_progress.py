"""What a long job shows on a terminal, and nowhere else."""

import sys
from pathlib import Path

from tests.terminal import on_terminal

PARITY = str(Path(sys.executable).parent / "parity")


def test_a_long_file_has_a_bar_and_a_pipe_a_count(xor_package: Path, tmp_path: Path) -> None:
    rows = b"0.123456789,0.987654321\n" * 200_000
    (tmp_path / "t.csv").write_bytes(b"x1,x2\n" + rows)
    out, shown = on_terminal([PARITY, "predict", str(xor_package), str(tmp_path / "t.csv")])
    assert out.count(b"\n") == 200_001
    assert "100%" in shown
    _, shown = on_terminal([PARITY, "predict", str(xor_package), "-", "--batch-size", "100000"], b"x1,x2\n" + rows)
    assert "\r100,000 rows\r200,000 rows" in shown


def test_many_tables_have_one_bar(xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name in ("a", "b"):
        (tmp_path / "tables" / f"{name}.csv").write_bytes(b"x1,x2\n" + b"0.123456789,0.987654321\n" * 100_000)
    command = [PARITY, "predict", str(xor_package), str(tmp_path / "tables"), "--out", str(tmp_path / "scored")]
    _, shown = on_terminal(command)
    assert "100%" in shown and "a.csv" in shown and "b.csv" in shown and " 50%" in shown
    (tmp_path / "scored" / "_SUCCESS").unlink()
    assert "100%" in on_terminal(command)[1]


def test_a_short_file_and_a_pipe_without_a_terminal_show_nothing(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"x1,x2\n0,1\n")
    assert on_terminal([PARITY, "predict", str(xor_package), str(tmp_path / "t.csv")])[1] == ""
    assert parity("predict", xor_package, tmp_path / "t.csv").err == ""
