"""Public data sets in their raw form, from RARECALL_DATA_DIR or from their origin, with the hash checked."""

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError

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
GOEMOTIONS = {
    split: RawFile(
        f"goemotions/{split}.tsv",
        f"monologg/GoEmotions-pytorch/b75f9d3a8b76bc1060687925b04ca98a1b8ea66b/data/original/{split}.tsv",
        sha256,
    )
    for split, sha256 in {
        "train": "1c254a142be5c00e80d819b9ae1bbd36d94b2eeb8f4b1271846508d57e57d9c5",
        "dev": "575489c079c9de1097062a01738f998590d6b7ead66dd1c9fd1d2ba01fd8bc62",
        "test": "0587b2dd8b27b97352adbfc3fb083d46005c8946657fdc2b1ca8b1cc7f1f8be4",
    }.items()
}
GOEMOTIONS_LABELS = RawFile(
    "goemotions/labels.txt",
    "monologg/GoEmotions-pytorch/b75f9d3a8b76bc1060687925b04ca98a1b8ea66b/data/original/labels.txt",
    "45c3ef86782d2a4d7fedcd6d8c111aa0d0e94720689bd164fac94fefb4495a89",
)
JAPANESE_TOXIC = RawFile(
    "japanese_toxic/subset.csv",
    "inspection-ai/japanese-toxic-dataset/e26fbd26b26e831f56e529c05a3f4f6cc5b697b0/data/subset.csv",
    "9320c51c8528325d1bc9b89e847475dcc5adc2665a0fc56952a2ab9bd4736148",
)
EMOBANK = RawFile(
    "emobank/emobank.csv",
    "JULIELab/EmoBank/248ce2a43e165a66d31aeaed83cff9641d6654e0/corpus/emobank.csv",
    "1ade4a4a453e880c0f39d0536d2b355e8a716e0cf88236c64cdb4d438cf9605b",
)
RETINAMNIST = RawFile(
    "retinamnist/retinamnist.npz",
    "MZhouke/Transfer-DR/eab6947981d4dbcf54948c295aa4c3ddb764a8aa/Data/retinamnist.npz",
    "254915f5f0a2074665c4676356824cf4ef4a3bcab233894b4bafcaf48962bd69",
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
