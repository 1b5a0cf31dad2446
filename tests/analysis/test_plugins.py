"""Plugins are found, imported once, told with file and line where they fail, and run from a folder only when asked."""

import hashlib
import sys

import pytest

from rarecall.analysis.errors import InputError, RunError
from rarecall.analysis.metrics import registry as metrics
from rarecall.analysis.plugins import loading, stored
from rarecall.analysis.plugins.plugin import Plugin, write_copies
from tests.plugin_files import forgetful

__all__ = ["forgetful"]
pytestmark = pytest.mark.usefixtures("forgetful")

METRIC = """\
from rarecall.analysis.metrics.registry import register

@register("rows_seen", "max", "amount", whole_count=True)
def rows_seen(tally):
    return float(tally.rows)
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "home" / "my-metrics.py"
    path.parent.mkdir()
    path.write_text(METRIC)
    return path


def test_a_file_is_imported_once_and_known_by_its_hash(plugin):
    for name in ("my-metrics.py", "./my-metrics.py"):
        (found,) = loading.load([name], plugin.parent)
    assert found.name == "my-metrics.py"
    assert found.sha256 == hashlib.sha256(METRIC.encode()).hexdigest()
    assert found.plain() == {"name": "plugins/my-metrics.py", "sha256": found.sha256, "automatic": False}
    assert metrics.find("rows_seen").whole_count
    assert sys.modules["rarecall_plugin_my_metrics"].__file__ == str(plugin)


def test_a_module_is_imported_by_its_name(plugin, monkeypatch):
    package = plugin.parent / "my_project"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "metrics.py").write_text(METRIC)
    monkeypatch.syspath_prepend(plugin.parent)
    (found,) = loading.load(["my_project.metrics"], plugin.parent)
    assert (found.name, found.text) == ("my_project.metrics", None)
    assert found.sha256 == hashlib.sha256(METRIC.encode()).hexdigest()
    other = Plugin("my_project.metrics", "0" * 64)
    with pytest.raises(InputError, match=r"must be the version that is in use already, .*install the same on every"):
        loading.install([other])


def test_installed_packages_name_theirs_in_the_entry_point_group(plugin, monkeypatch):
    folder = plugin.parent / "my_project_of_others-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: my-project-of-others\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[rarecall.plugins]\nmetrics = my_project_of_others\n")
    (plugin.parent / "my_project_of_others.py").write_text(METRIC)
    monkeypatch.syspath_prepend(plugin.parent)
    stored.load_stored(plugin.parent, [{"name": "my_project_of_others", "automatic": True}], known=False)
    assert metrics.find("rows_seen") is not None
    (found,) = loading.load([], plugin.parent)
    assert (found.name, found.automatic) == ("my_project_of_others", True)


@pytest.mark.parametrize(
    ("text", "place", "cause"),
    [
        (
            "import math\nimport nowhere_to_be_found\n",
            ":2",
            "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
        ("def broken(:\n", ":1", "SyntaxError: invalid syntax"),
        ("\n\n" + METRIC.replace("rows_seen", "recall"), ":5", "ValueError: a metric is registered once, got 'recall'"),
        ("def f():\n    return 1 / 0\n\n\nf()\n", ":2", "ZeroDivisionError: division by zero"),
    ],
)
def test_one_that_fails_is_told_with_file_line_and_cause(plugin, text, place, cause):
    plugin.write_text(text)
    with pytest.raises(InputError) as told:
        loading.load([plugin.name], plugin.parent)
    (fault,) = told.value.faults
    assert fault.where == f"{plugin}{place}"
    assert cause in fault.value
    assert "rarecall_plugin_my_metrics" not in sys.modules


def test_all_faults_come_together(plugin):
    with pytest.raises(InputError) as told:
        loading.load(["gone.py", "my_project.gone", "my-metrics.py", "sub/my_metrics.py"], plugin.parent)
    text = str(told.value)
    assert "plugins[0]: must be a file of Python beside the experiment" in text
    assert "plugins: my_project.gone: must be a module that can be imported here" in text
    assert "plugins[3]: must have a name of its own among the plugins, got 'sub/my_metrics.py'" in text


def test_one_that_changed_needs_a_new_process(plugin):
    loading.load([plugin.name], plugin.parent)
    plugin.write_text(METRIC + "# more\n")
    with pytest.raises(InputError, match="must be the version that is in use already, got another with SHA-256"):
        loading.load([plugin.name], plugin.parent)


def test_the_text_is_enough_for_another_process(plugin):
    text = plugin.read_text()
    plugin.unlink()
    sent = Plugin(plugin.name, hashlib.sha256(text.encode()).hexdigest(), text, origin=str(plugin))
    loading.install([sent, sent])
    assert metrics.find("rows_seen") is not None


@pytest.fixture
def folder(plugin, tmp_path, monkeypatch):
    """A folder with a copy of the plugin, which this process has not imported; gives it with what names it."""
    (read,) = loading.load([plugin.name], plugin.parent)
    write_copies([read], tmp_path / "run")
    loading._loaded.clear()
    del metrics._REGISTRY["rows_seen"]
    return tmp_path / "run", [read.plain()]


def test_code_of_a_folder_is_not_run_unasked(folder):
    for known in (True, False):
        with pytest.raises(RunError, match=r"code that is not run unasked: plugins/my-metrics.py \(.*--trust-plugins"):
            stored.load_stored(*folder, known=known)
    assert metrics.find("rows_seen") is None
    with stored.trusting():
        stored.load_stored(*folder, known=False)
    assert metrics.find("rows_seen") is not None


def test_what_the_user_searched_with_is_remembered_for_runs_alone(folder):
    path, entries = folder
    stored.remember([Plugin("my-metrics.py", entries[0]["sha256"], "")])
    with pytest.raises(RunError, match="code that is not run unasked"):
        stored.load_stored(path, entries, known=False)
    (path / "plugins" / "my-metrics.py").write_text(METRIC + "# changed by somebody\n")
    with pytest.raises(RunError, match="code that is not run unasked"):
        stored.load_stored(path, entries, known=True)
    (path / "plugins" / "my-metrics.py").write_text(METRIC)
    stored.load_stored(path, entries, known=True)
    assert metrics.find("rows_seen") is not None


def test_a_name_never_leads_out_of_the_folder(folder, tmp_path):
    path, _ = folder
    (tmp_path / "evil.py").write_text("raise SystemExit")
    with stored.trusting(), pytest.raises(InputError, match=r"run/plugins/evil.py: must hold the copy of a plugin"):
        stored.load_stored(path, [{"name": "plugins/../../evil.py"}], known=False)


def test_a_copy_that_is_gone_is_told(folder):
    path, entries = folder
    (path / "plugins" / "my-metrics.py").unlink()
    with pytest.raises(InputError, match=r"must hold the copy of a plugin that the folder names"):
        stored.load_stored(path, entries, known=True)
