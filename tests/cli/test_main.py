"""The command line itself: help, wrong words, exit codes."""

import errno
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType

import pytest

import hitrs
from hitrs import __version__
from hitrs.cli.main import COMMANDS, Command, main
from hitrs.errors import DataError


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch):
    """``verb(function)`` makes the function the command ``hitrs try``."""

    def install(function) -> None:
        module = ModuleType("try_command")
        module.run = function
        monkeypatch.setitem(sys.modules, "try_command", module)
        monkeypatch.setitem(COMMANDS, "try", Command("try_command", "for the test"))

    return install


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, command in COMMANDS.items():
        assert f"  {name:<10} {command.summary}" in lines


def test_without_a_command_the_help_is_shown_and_the_exit_code_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "usage: hitrs COMMAND" in capsys.readouterr().out


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, hitrs.cli.main as m; m.main(['--help']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: hitrs {name}" in shown
    assert "--help" in shown


@pytest.mark.parametrize(("verb", "section"), [("pretrain", "pretrain"), ("finetune", "recognize")])
def test_a_wrong_value_is_named_with_its_section(verb: str, section: str, fails) -> None:
    said = fails(verb, "store", "--out", "run", f"--{section}.optim.batch-size=-3")
    assert said == f"{section}.optim.batch_size must be at least 1, got -3"


@pytest.mark.parametrize("name", ["recognize", "detect", "evaluate"])
def test_what_is_required_has_no_default(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    assert "(default: )" not in shown
    assert shown.count("(required)") == 2


def test_a_switch_with_a_value_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["finetune", "store", "--out", "run", "--task", "detection", "--detect.head.causal", "True"])
        == 2
    )
    assert "a switch takes no value" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"hitrs {__version__}"


def test_python_m_hitrs_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hitrs", "--version"], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == f"hitrs {__version__}"


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretarin", "x"]) == 2
    assert "there is no command 'pretarin'; did you mean 'pretrain'?" in capsys.readouterr().err
    assert main(["xyzzy"]) == 2
    assert "there is no command 'xyzzy'. Commands:" in capsys.readouterr().err


def test_an_unknown_option_names_the_nearest(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", store, "--out", "nowhere", "--model.widht", "8"]) == 2
    assert "--model.width" in capsys.readouterr().err


def test_options_of_other_steps_are_not_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--pretrain.optim.steps" in shown
    assert "--recognize.optim.steps" not in shown


def test_errors_for_people_are_one_message_without_traceback(
    verb, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        """Fail."""
        raise DataError("the file a.npz has [red]no[/red] frames; record again")

    verb(run)
    assert main(["try"]) == 1
    assert capsys.readouterr().err == "error: the file a.npz has [red]no[/red] frames; record again\n"


def test_a_defect_is_not_hidden(verb) -> None:
    def run() -> None:
        """Fail."""
        raise ZeroDivisionError

    verb(run)
    with pytest.raises(ZeroDivisionError):
        main(["try"])


@pytest.mark.parametrize(("said", "shown"), [((), "stopped"), (("go on with: x",), "go on with: x")])
def test_an_interruption_has_its_own_exit_code(verb, capsys: pytest.CaptureFixture[str], said, shown) -> None:
    def run() -> None:
        """Stop."""
        raise KeyboardInterrupt(*said)

    verb(run)
    assert main(["try"]) == 130
    assert capsys.readouterr().err.strip() == shown


def test_an_interruption_while_an_object_is_destroyed_is_not_lost(
    verb, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def __del__(self) -> None:
            raise KeyboardInterrupt  # as if Ctrl-C came here: Python forgets it

    def run() -> None:
        """Go on for a while."""
        Interrupted()
        time.sleep(20)

    verb(run)
    hook = sys.unraisablehook
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        assert main(["try"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.strip() == "stopped"
    assert sys.unraisablehook is hook


def test_warnings_of_the_package_are_notes(verb, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = {}

    def run() -> None:
        """Warn as two packages would."""
        for file in (hitrs.cli.main.__file__, str(tmp_path / "other.py")):
            said[file] = warnings.formatwarning("trying on", UserWarning, file, 7, "code")

    verb(run)
    before = warnings.formatwarning
    assert main(["try"]) == 0
    ours, others = said.values()
    assert ours == "note: trying on\n"
    assert "other.py:7: UserWarning: trying on" in others
    assert warnings.formatwarning is before


def test_a_full_disk_is_said(verb, capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        """Fill the disk."""
        raise OSError(errno.ENOSPC, "No space left on device", "metrics.jsonl")

    verb(run)
    assert main(["try"]) == 1
    assert "the disk is full, metrics.jsonl was not written" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_ends_the_command_quietly() -> None:
    code = (
        "import sys, types; from hitrs.cli import main as m; from hitrs.cli.console import print_line\n"
        "def run():\n    'Talk.'\n    for n in range(100000): print('line', n)\n"
        "sys.modules['talk'] = types.SimpleNamespace(run=run)\n"
        "m.COMMANDS['talk'] = m.Command('talk', '')\n"
        "sys.exit(m.main(['talk']))"
    )
    talk = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert talk.stdout is not None
    assert talk.stdout.readline() == b"line 0\n"
    talk.stdout.close()
    assert talk.stderr is not None
    complaint = talk.stderr.read()
    talk.stderr.close()
    assert talk.wait() == 1
    assert complaint == b""
