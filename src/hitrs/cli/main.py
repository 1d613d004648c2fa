"""``hitrs``: finds the verb, reads its options, runs it, and says in one sentence what went wrong.

A command's module imports what its options need and nothing else; what it computes with is imported when it
runs, because importing torch takes seconds.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from hitrs import __version__
from hitrs.cli.console import print_error, print_line, set_command, warnings_as_notes
from hitrs.cli.signals import interrupts_kept
from hitrs.errors import HitrsError, did_you_mean
from hitrs.process import arrange


@dataclass(frozen=True)
class Command:
    """A verb: the module whose function ``run`` is called with its options, and what it does in a few words.

    A module may also have ``options(arguments)``: what its parameter ``options`` starts from.
    """

    module: str
    summary: str


COMMANDS = {
    "import": Command("hitrs.cli.import_", "read a data set or your own files into a store"),
    "data": Command("hitrs.cli.data", "which data sets are known, and fetching free ones"),
    "inspect": Command("hitrs.cli.inspect", "what is in a store, and what is wrong with it"),
    "layouts": Command("hitrs.cli.layouts", "which joint layouts there are, and the joints of one"),
    "clean": Command("hitrs.cli.clean", "repair what inspection found; the raw values stay"),
    "cut": Command("hitrs.cli.cut", "long recordings into their segments, or into windows"),
    "pretrain": Command("hitrs.cli.pretrain", "learn from recordings without labels"),
    "probe": Command("hitrs.cli.probe", "k-NN and linear probe of a frozen encoder"),
    "finetune": Command("hitrs.cli.finetune", "train the model of a task, pre-trained or from scratch"),
    "evaluate": Command("hitrs.cli.evaluate", "test a model, or several recognizers together"),
    "table": Command("hitrs.cli.table", "run a plan of experiments cell by cell, and print its table"),
    "embed": Command("hitrs.cli.embed", "features of recordings by a frozen encoder, as Parquet"),
    "recognize": Command("hitrs.cli.recognize", "name the actions in files"),
    "detect": Command("hitrs.cli.detect", "find the actions in recordings of any length"),
    "predict": Command("hitrs.cli.predict", "continue a recording by the frames that come next"),
    "show": Command("hitrs.cli.show", "recordings and answers as a page to play, compare and search"),
    "serve": Command("hitrs.cli.serve", "models as a live page, and as an interface for programs"),
    "export": Command("hitrs.cli.export", "a model as an ONNX file, for programs without PyTorch"),
    "convert": Command("hitrs.cli.convert", "stores as Parquet, checkpoints of the authors' code; and back"),
    "video-setup": Command("hitrs.cli.video_setup", "install what opens videos, in a place of its own"),
    "bench": Command("hitrs.cli.bench", "what training, recognition, streaming and loading cost here"),
    "demo": Command("hitrs.cli.demo", "the whole way on synthetic motion, with a report at the end"),
}

_FULL = {errno.ENOSPC} | ({errno.EDQUOT} if hasattr(errno, "EDQUOT") else set())
_OF_PATHS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EIO,
}
"""What a path that people name may be like; what else the system says no to is a defect of the package."""
_EXIT_INTERRUPTED = 130  # the shell's 128 + SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; its exit code: 0, 1 for an error, 2 for wrong usage, 130 if interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with interrupts_kept(), warnings_as_notes():
            code = run_command(arguments)
            sys.stdout.flush()
            return code
    except HitrsError as error:
        print_error(f"error: {error}")
        return 1
    except KeyboardInterrupt as stop:
        print_error(str(stop) or "stopped")
        return _EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno in _FULL:
            what = f"the disk is full, {error.filename or 'a file'} was not written; free some space"
        elif error.errno in _OF_PATHS and error.filename is not None:
            what = f"cannot use {error.filename}: {error.strerror}"
        else:
            raise
        print_error(f"error: {what}")
        return 1


def run_command(arguments: list[str]) -> int:
    """The same without catching errors."""
    if not arguments or arguments[0] in ("-h", "--help"):
        _print_help()
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print_line(f"hitrs {__version__}")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in COMMANDS:
        hint = did_you_mean(verb, COMMANDS) or "."
        print_error(f"error: there is no command '{verb}'{hint} Commands: {', '.join(COMMANDS)}.")
        return 2
    set_command(arguments)
    arrange()
    module = importlib.import_module(COMMANDS[verb].module)
    import tyro

    run = module.run
    names: AbstractContextManager[None] = nullcontext()
    if hasattr(module, "options"):
        from hitrs.cli.settings import check_option_names, whole_names, with_options

        check_option_names(rest)
        run, names = with_options(run, module.options(rest)), whole_names(rest)
    try:
        with names:
            tyro.cli(run, prog=f"hitrs {verb}", args=rest, config=(tyro.conf.FlagCreatePairsOff,))
    except SystemExit as end:  # tyro has printed the help, or what is wrong with the options
        if end.code and {"true", "false"} & {word.lower() for word in rest}:
            print_error(
                "should it be a switch: a switch takes no value, `--name` turns it on, `--no-name` off"
            )
        return int(end.code or 0)
    return 0


def _print_help() -> None:
    print_line("usage: hitrs COMMAND [OPTIONS]\n")
    print_line("Learn from human-skeleton recordings without labels, then recognize actions.\n")
    for verb, command in COMMANDS.items():
        print_line(f"  {verb:<10} {command.summary}")
    print_line("\nOptions of a command: hitrs COMMAND --help")


if __name__ == "__main__":
    sys.exit(main())
