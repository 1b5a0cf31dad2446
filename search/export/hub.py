"""An exported folder on the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import HfApi, get_token, is_offline_mode
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id

from rarecall.analysis.errors import Fault, InputError, RunError

OPTION = "--push-to-hub"


def check_hub(repo: str) -> None:
    """Make sure that an upload may be tried; nothing is sent.

    Raises:
        InputError: no such name of a repository, no credentials, or an environment that keeps offline.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        rule = "must name a repository such as `threats` or `my-team/threats`"
        raise InputError(OPTION, [Fault(OPTION, rule, repr(repo))]) from error
    if get_token() is None:
        remedy = "run `hf auth login`, or set HF_TOKEN to a token that may write"
        raise InputError(OPTION, [Fault(OPTION, "needs credentials of the hub", "none", remedy)])
    if is_offline_mode():
        raise InputError(OPTION, [Fault(OPTION, "needs the network", "HF_HUB_OFFLINE", "unset HF_HUB_OFFLINE")])


def push(folder: Path, repo: str, public: bool) -> str:
    """Upload all files of a folder to a model repository, made private where it is new; gives its address.

    Raises:
        RunError: the hub refused or could not be reached; the folder stays.
    """
    api = HfApi()
    try:
        made = api.create_repo(repo, private=not public, exist_ok=True)
        api.upload_folder(repo_id=made.repo_id, folder_path=folder, commit_message="Export by rarecall")
    except Exception as error:  # of huggingface_hub, its HTTP client and its storage, which share no base
        remedy = f"the folder is complete; `hf upload {repo} {folder}` tries again"
        raise RunError(f"{repo}: the upload failed: {error} ({remedy})") from error
    return str(made)
