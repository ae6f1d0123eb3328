"""Progress crosses processes through a file that is always whole."""

from modelcore.progress import FileProgress, read_progress


def test_a_reader_sees_what_was_told_last(tmp_path):
    path = tmp_path / "progress.json"
    assert read_progress(path) is None
    tell = FileProgress(path)
    tell(1, None, "steps")
    tell(2, 10, "steps", "loss 1.5")
    assert read_progress(path) == (2, 10, "steps", "loss 1.5")
    assert [file.name for file in tmp_path.iterdir()] == ["progress.json"]
