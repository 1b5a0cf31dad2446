import shutil

from rarecall.search.cluster import travel
from rarecall.search.cluster.travel import travelling


def test_a_folder_is_found_again_where_it_is_not(local_ray, tmp_path, monkeypatch):
    monkeypatch.setattr(travel, "gettempdir", lambda: str(tmp_path))
    folder = tmp_path / "model"
    (folder / "part").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "part" / "weights.bin").write_bytes(b"\x00\x01")
    opened = travelling(folder)
    assert opened.here() == folder
    shutil.rmtree(folder)
    copy = opened.here()
    assert copy != folder
    assert (copy / "part" / "weights.bin").read_bytes() == b"\x00\x01"
    assert opened.here() == copy
    assert sorted(path.name for path in copy.iterdir()) == ["config.json", "part"]


def test_other_contents_are_another_copy(local_ray, tmp_path):
    (tmp_path / "a").write_text("1")
    first = travelling(tmp_path).digest
    (tmp_path / "a").write_text("2")
    assert travelling(tmp_path).digest != first
