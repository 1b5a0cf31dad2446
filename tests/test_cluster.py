"""cluster.yaml against Ray's own schema and defaults, and against the rest of the repository."""

import copy
import re
import shlex
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from packaging.specifiers import SpecifierSet
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[1]


@pytest.fixture
def cluster():
    return yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def prepared(cluster):
    """The configuration as `ray up` sees it: merged with Ray's defaults for the provider."""
    return prepare_config(copy.deepcopy(cluster))


def pinned(distribution):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.split("==")[1] for line in lines if line.startswith(f"{distribution}=="))


def installs(commands):
    """The arguments of every `pip install` among the commands."""
    words = [shlex.split(command) for command in commands]
    return [arguments[2:] for arguments in words if arguments[:2] == ["pip", "install"]]


def mount_points(commands):
    return {shlex.split(command)[-1] for command in commands if "mount -t nfs4" in command}


def test_ray_accepts_it(prepared):
    validate_config(prepared)


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_wokers", 8), ("idle_timeout_minutes", "ten"), ("setup_commands", "pip install .")],
)
def test_ray_refuses_a_mistake(prepared, key, value):
    with pytest.raises(jsonschema.ValidationError):
        validate_config({**prepared, key: value})


def test_there_is_one_head_and_it_has_no_gpu(prepared):
    head = prepared["available_node_types"][prepared["head_node_type"]]
    assert head["resources"].get("GPU", 0) == 0
    assert (head["min_workers"], head["max_workers"]) == (0, 0)


def test_gpu_workers_come_and_go(prepared):
    workers = [kind for name, kind in prepared["available_node_types"].items() if name != prepared["head_node_type"]]
    assert [(kind["min_workers"], kind["max_workers"]) for kind in workers] == [(0, 8)]
    assert all(kind["resources"]["GPU"] >= 1 for kind in workers)
    assert prepared["max_workers"] == 8
    assert 0 < prepared["idle_timeout_minutes"] <= 30


@pytest.mark.parametrize("role", ["head", "worker"])
def test_every_node_installs_the_project_with_pinned_versions(prepared, role):
    (remote, local), *others = prepared["file_mounts"].items()
    assert (local, others) == ("build/cluster", [])
    ours = installs(prepared[f"{role}_setup_commands"])[: len(prepared["setup_commands"])]
    assert all(arguments[arguments.index("-c") + 1] == f"{remote}/constraints.txt" for arguments in ours)
    assert ["-e", remote] in [arguments[-2:] for arguments in ours]
    assert (ROOT / "constraints.txt").is_file()


def test_images_hold_our_ray_and_a_python_that_we_support(prepared):
    required = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    for role, kind in [("head", "cpu"), ("worker", "gpu")]:
        tag = re.fullmatch(r"rayproject/ray:([\d.]+)-py3(\d+)-(\w+)", prepared["docker"][f"{role}_image"])
        assert tag is not None
        assert (tag[1], tag[3]) == (pinned("ray"), kind)
        assert f"3.{tag[2]}" in SpecifierSet(required)


def test_shared_folder_is_mounted_on_every_node_and_seen_in_its_container(prepared):
    (folder,) = mount_points(prepared["initialization_commands"])
    assert f"--volume {folder}:{folder}" in prepared["docker"]["run_options"]
    text = (ROOT / "cluster.yaml").read_text(encoding="utf-8")
    assert f"--set storage.path={folder}/" in text
    assert set(re.findall(r"efs\.([\w-]+)\.amazonaws", text)) == {prepared["provider"]["region"]}


def test_nodes_get_what_is_committed_and_git_ignores_the_copy(prepared):
    (local,) = prepared["file_mounts"].values()
    text = (ROOT / "cluster.yaml").read_text(encoding="utf-8")
    assert f"git archive --prefix={local}/ HEAD" in text
    assert f"/{Path(local).parts[0]}/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_each_value_to_fill_in_is_told_and_cannot_be_mistaken_for_a_real_one(cluster):
    text = (ROOT / "cluster.yaml").read_text(encoding="utf-8")
    images = {kind["node_config"]["ImageId"] for kind in cluster["available_node_types"].values()}
    systems = set(re.findall(r"fs-[0-9a-f]{17}", text))
    assert images | systems == {"ami-" + 17 * "0", "fs-" + 17 * "0"}
    assert text.count("FILL IN:") == 2
