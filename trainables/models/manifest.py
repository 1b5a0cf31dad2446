"""The list of a checkpoint's files with sizes and SHA-256, by which damage is noticed before anything is loaded."""

import hashlib
import json
from pathlib import Path

MANIFEST_FILE = "files.json"


def write_manifest(folder: Path) -> None:
    """List all files of a checkpoint, in the folder itself; an earlier list is replaced."""
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(files, indent=1) + "\n", encoding="utf-8")


def damage(folder: Path) -> str:
    """What is wrong with a checkpoint, "" where nothing is. One without a list is only known to be there."""
    if not folder.is_dir():
        return "is gone"
    try:
        files = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        return next((fault for name, told in files.items() if (fault := _fault(folder / name, told))), "")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as failure:
        return f"cannot be read: {failure}"


def _fault(path: Path, told: dict[str, int | str]) -> str:
    if not path.is_file():
        return f"lacks {path.name}"
    size = path.stat().st_size
    if size != told["bytes"]:
        return f"is damaged: {path.name} has {size:,} of {told['bytes']:,} bytes"
    return "" if _sha256(path) == told["sha256"] else f"is damaged: {path.name} is not what was written"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
