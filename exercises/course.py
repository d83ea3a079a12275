"""The `course` command. Each sub-command is a call into another module, imported when needed."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from exercises.common import BY_UV, CourseError

EXAMPLES = """\
examples:
  course lab              learn
  course check 02         check your answers to unit 02
  course test --quick     check the installation
  course lab --help       all about one command

"""

EXIT_CODES = """\
exit codes:
  0    all is well
  1    something failed: a test, a server, a file
  2    used wrongly: an unknown word, option or name
  3    something is missing: a package, a part of the course
  130  interrupted by Ctrl-C (the end of `course lab` by Ctrl-C is no interruption: 0)
"""

#: word → (one line about it, longer description with examples)
COMMANDS = {
    "lab": (
        "open the course in JupyterLab, in your own copy of it",
        """\
Make your own copy of the notebooks and exercises in my-course/ and open it in JupyterLab.

A file of yours is never overwritten. When the course has new files they are added; a notebook
that you only ran is updated; where you and the course both changed a notebook, yours stays and
the new one is put beside it as NAME.new.ipynb. Ctrl-C ends JupyterLab.

examples:
  course lab                       open the first notebook on a free port
  course lab --port 9000           on this port or not at all
  course lab --no-browser          only print the address
  course lab --reset 02_energy     take the course's version of one file again;
                                   yours is kept as 02_energy.mine-1.ipynb
""",
    ),
    "check": (
        "check your answers to the exercises",
        """\
Run a unit's grader on your file and show a table with points, then the first failure in full.
Your file is the one in my-course/; without a copy of your own it is the course's, still empty.
Your code runs in a process of its own, with limits on time and memory.

examples:
  course check                     points in all units
  course check 02                  your file for unit 02
  course check 02 --watch          again each time you save it; Ctrl-C ends
  course check 02 --hint energy    a hint for one function; a number after it: the next ones
  course check 02 --seed 7         other numbers in the tests
""",
    ),
    "test": (
        "check that everything works: library, commands and notebooks",
        """\
Run all tests, and run every notebook and compare each output with the stored one.
Your own copy in my-course/ takes no part.

examples:
  course test                      everything, in a few minutes
  course test --quick              the tests without the slow ones and without notebooks
  course test --notebooks          the notebooks only
  course test -k rbm               tests with rbm in their name (no notebooks: a cell needs
                                   all those before it)
  course test -- -x --lf           what follows -- goes to pytest
  course test -- notebooks/01_energy.ipynb
                                   paths given to pytest replace the usual ones
""",
    ),
    "build": (
        "run the course's notebooks and store their outputs (for those who write them)",
        """\
Run notebooks in place and store what their cells print and draw, in a form that differs only where
the outputs do. `course test` compares each output with what is stored here.

examples:
  course build                     all notebooks
  course build 00 03               those whose names begin so
""",
    ),
    "results": (
        "measure the library's reference numbers again",
        """\
Measure what the library reaches, beside published figures, and print it.

The quick tier runs on the bundled digits in some minutes. The full tier runs on MNIST and takes
hours on two cores; it wants the four IDX files in the folder that DBNLIB_DATA names, or fetches
them from OpenML. Finished parts are kept in a folder: a run that was stopped goes on there, and
one that was not shows its results once more. Remove the folder to measure anew.

examples:
  course results                   the quick tier
  course results --full            the full tier, all rows
  course results --list            the names of all rows
  course results --row rbm_16      one row; may be given several times
  course results --full --store    and put what was found into README and tests/reference
""",
    ),
    "demo": (
        "train a deep belief network and save figures, without a screen",
        """\
Train a small deep belief network from nothing, and write what it learned into a folder.

examples:
  course demo
  course demo --out /tmp/demo --seed 1 --epochs 5
""",
    ),
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors say where help is."""

    def error(self, message: str) -> None:
        self.exit(2, f"{self.prog}: {message}\nTry `{self.prog} --help`.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = make_parser()
    if not words:
        parser.print_help(sys.stderr)
        return 2
    try:
        arguments = parse(parser, words)
        return arguments.run(arguments) or 0
    except SystemExit as stop:  # argparse: 0 after --help, 2 after an error
        return stop.code
    except CourseError as error:
        print(f"course {words[0]}: {error}", file=sys.stderr)
        return error.code
    except ModuleNotFoundError as error:
        print(
            f"course {words[0]}: the package {error.name} is not installed here; "
            f"start the command as `{BY_UV} {words[0]}`, which installs all it needs",
            file=sys.stderr,
        )
        return 3
    except OSError as error:
        print(f"course {words[0]}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"course {words[0]}: interrupted", file=sys.stderr)
        return 130


def parse(parser: Parser, words: list[str]) -> argparse.Namespace:
    """The arguments; what follows `--` is kept apart as `extra`."""
    if not words[0].startswith("-") and words[0] not in COMMANDS:
        near = difflib.get_close_matches(words[0], COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}."
        parser.error(f"there is no command {words[0]!r}; {hint}")
    extra: list[str] = []
    if "--" in words and words[0] == "test":
        cut = words.index("--")
        words, extra = words[:cut], words[cut + 1 :]
    arguments = parser.parse_args(words)
    arguments.extra = extra
    return arguments


def make_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="course",
        description="Deep belief networks, understood: the course's one command.",
        epilog=EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(word: str, run: Callable[[argparse.Namespace], int | None]) -> Parser:
        line, description = COMMANDS[word]
        command = commands.add_parser(
            word,
            help=line,
            description=description,
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(run=run)
        return command

    lab = add("lab", run_lab)
    lab.add_argument("--port", type=port, metavar="N", help="use this port (default: a free one)")
    lab.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="listen here (default: 127.0.0.1, this machine only)",
    )
    lab.add_argument("--no-browser", action="store_true", help="open no browser, print the address")
    lab.add_argument("--verbose", action="store_true", help="show JupyterLab's own messages")
    lab.add_argument("--reset", metavar="NAME", help="take the course's version of a file again")

    check = add("check", run_check)
    check.add_argument("unit", nargs="?", metavar="UNIT", help="a unit's number, such as 02")
    check.add_argument("--watch", action="store_true", help="check again when the file is saved")
    check.add_argument(
        "--hint", nargs="+", metavar=("FUNCTION", "N"), help="show the first hint, or the Nth"
    )
    check.add_argument(
        "--seed", type=count(0), default=0, metavar="N", help="seed of the inputs (default: 0)"
    )

    test = add("test", run_test)
    part = test.add_mutually_exclusive_group()
    part.add_argument("--quick", action="store_true", help="no notebooks and no slow tests")
    part.add_argument("--library", action="store_true", help="all tests, no notebooks")
    part.add_argument("--notebooks", action="store_true", help="only the notebooks")
    test.add_argument("-k", dest="keyword", metavar="WORD", help="only tests with this in the name")
    test.add_argument(
        "--workers",
        type=count(0),
        metavar="N",
        help="processes at once; 0 runs all in one (default: one a core, at most 4)",
    )

    build = add("build", run_build)
    build.add_argument("names", nargs="*", metavar="NAME", help="how a notebook's name begins")

    results = add("results", run_results)
    what = results.add_mutually_exclusive_group()
    what.add_argument("--full", action="store_true", help="the tier on MNIST; hours")
    what.add_argument("--row", action="append", metavar="NAME", help="this row only; repeatable")
    what.add_argument("--list", action="store_true", help="only name the rows")
    results.add_argument(
        "--folder",
        type=Path,
        default=Path(".results"),
        metavar="FOLDER",
        help="where finished parts are kept (default: .results)",
    )
    results.add_argument("--store", action="store_true", help="write into the project's table")

    demo = add("demo", run_demo)
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("course-demo"),
        metavar="FOLDER",
        help="where to write (default: course-demo)",
    )
    demo.add_argument(
        "--seed", type=count(0), default=0, metavar="N", help="random seed (default: 0)"
    )
    demo.add_argument("--epochs", type=count(1), metavar="N", help="training epochs a layer")
    return parser


def count(minimum: int) -> Callable[[str], int]:
    """An argument type: a whole number of at least `minimum`."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if value < minimum:
            raise argparse.ArgumentTypeError(f"wants a whole number from {minimum}, got {text!r}")
        return value

    return convert


def port(text: str) -> int:
    """An argument type: a port that needs no special rights to name."""
    value = count(1)(text)
    if value > 65535:
        raise argparse.ArgumentTypeError(f"wants a number from 1 to 65535, got {text!r}")
    return value


def run_lab(arguments: argparse.Namespace) -> int | None:
    """`course lab`."""
    from exercises import lab, workspace

    if arguments.reset is not None:
        print(workspace.reset(arguments.reset))
        return 0
    return lab.run(
        host=arguments.host,
        port=arguments.port,
        browser=not arguments.no_browser,
        verbose=arguments.verbose,
    )


def run_check(arguments: argparse.Namespace) -> int:
    """`course check`."""
    from exercises.grading import check

    return check.run(
        arguments.unit, watch=arguments.watch, hint=arguments.hint, seed=arguments.seed
    )


def run_test(arguments: argparse.Namespace) -> int:
    """`course test`."""
    from exercises import testing

    return testing.run(
        quick=arguments.quick,
        library=arguments.library,
        notebooks=arguments.notebooks,
        keyword=arguments.keyword,
        workers=arguments.workers,
        extra=arguments.extra,
    )


def run_build(arguments: argparse.Namespace) -> int:
    """`course build`."""
    from exercises import build

    return build.run(arguments.names)


def run_results(arguments: argparse.Namespace) -> int:
    """`course results`."""
    from tests.reference import command

    if arguments.list:
        print(command.listing())
        return 0
    return command.run(
        folder=arguments.folder,
        full=arguments.full,
        names=arguments.row or [],
        store=arguments.store,
    )


def run_demo(arguments: argparse.Namespace) -> int | None:
    """`course demo`."""
    from exercises import demo

    return demo.run(arguments.out, seed=arguments.seed, epochs=arguments.epochs)


if __name__ == "__main__":
    sys.exit(main())
