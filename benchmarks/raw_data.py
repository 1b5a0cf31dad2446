"""Public data sets in their raw form, from RARECALL_DATA_DIR or from their origin, with the hash checked."""

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import Fault, InputError

VARIABLE = "RARECALL_DATA_DIR"
CACHE = Path.home() / ".cache" / "rarecall"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class RawFile:
    """One file of a public set: its place below the data folder, where it comes from, and what it must hash to."""

    place: str
    origin: str
    sha256: str


DAVIDSON = RawFile(
    "davidson/labeled_data.csv",
    "t-davidson/hate-speech-and-offensive-language/cb50f7e9eb855a99abc51423bf40df0e26d6fe30/data/labeled_data.csv",
    "fcb8bc7c68120ae4af04a5b9acd58585513ede11e1548ebf36a5c2040b6f6281",
)
CLINC = RawFile(
    "clinc150/data_full.json",
    "clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data/data_full.json",
    "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
)
CLINC_DOMAINS = RawFile(
    "clinc150/domains.json",
    "clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data/domains.json",
    "b947b579d3b8e74b06f93b01083d8efaff2888b43a3e362533bd88a6e1211b3a",
)
SMS = RawFile(
    "sms_spam/SMSSpamCollection",
    "maze-runnar/SMS-spam-detection/fc58dd2f68434dfb55ad1fc3f9a6544f332f9732/smsspamcollection/SMSSpamCollection",
    "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d",
)


def raw_bytes(file: RawFile) -> bytes:
    """The content of a raw file.

    Raises:
        InputError: it cannot be fetched, or it is not the file that the hash names.
    """
    folder = os.environ.get(VARIABLE)
    path = Path(folder) / file.place if folder else CACHE / file.place
    if not path.exists():
        if folder:
            raise InputError(VARIABLE, [Fault(str(path), "no such file", remedy=f"unset {VARIABLE} to download it")])
        _download(file, path)
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise InputError(
            str(path), [Fault(str(path), f"must have SHA-256 {file.sha256}", found, "delete it and try again")]
        )
    return content


def _download(file: RawFile, path: Path) -> None:
    url = f"https://raw.githubusercontent.com/{file.origin}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            content = response.read()
    except OSError as failure:
        remedy = f"or put the file into the folder that {VARIABLE} names, as {file.place}"
        raise InputError(url, [Fault(url, f"cannot be fetched: {failure}", remedy=remedy)]) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
