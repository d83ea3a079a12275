"""The `course` command. Each sub-command is a call into another module, imported when needed."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from exercises.common import BY_UV, CourseError
from exercises.manual import COMMANDS, EXAMPLES, EXIT_CODES

#: levels of the sandbox, as `exercises.grading.sandbox` has them
CONFINEMENTS = ("process", "limits", "no-privilege", "landlock", "namespaces")


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
    check.add_argument("unit", nargs="?", metavar="UNIT", help="a number, such as 02, or bug_hunt")
    check.add_argument("--watch", action="store_true", help="check again when the file is saved")
    check.add_argument(
        "--hint", nargs="+", metavar=("FUNCTION", "N"), help="show the first hint, or the Nth"
    )
    check.add_argument(
        "--seed", type=count(0), default=0, metavar="N", help="seed of the inputs (default: 0)"
    )

    grade = add("grade", run_grade)
    grade.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="a folder of them")
    grade.add_argument(
        "--unit", required=True, metavar="UNIT", help="a number, such as 02, or bug_hunt"
    )
    grade.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where the marks are written"
    )
    grade.add_argument("--one", action="store_true", help="SUBMISSIONS is one student's")
    grade.add_argument("--again", action="store_true", help="grade finished ones again as well")
    grade.add_argument(
        "--confine",
        choices=CONFINEMENTS,
        default="landlock",
        help="refuse to run where the sandbox reaches less (default: landlock)",
    )
    grade.add_argument(
        "--seed", type=count(0), metavar="N", help="seed of the inputs (default: the system's)"
    )
    grade.add_argument(
        "--jobs", type=count(0), default=0, metavar="N", help="students at once (default: 0, cores)"
    )
    grade.add_argument("--backend", choices=("loky", "dask"), default="loky", help="who works")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster")

    release = add("release", run_release)
    release.add_argument(
        "--unit", nargs="+", required=True, metavar="UNIT", help="such as 01 02 bug_hunt"
    )
    release.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="a new folder to write"
    )
    release.add_argument("--gradescope", action="store_true", help="make autograders instead")

    test = add("test", run_test)
    part = test.add_mutually_exclusive_group()
    part.add_argument("--quick", action="store_true", help="no notebooks and no slow tests")
    part.add_argument("--library", action="store_true", help="all tests, no notebooks")
    part.add_argument("--notebooks", action="store_true", help="only the notebooks")
    part.add_argument(
        "--browser", action="store_true", help="only some notebooks, in a real browser"
    )
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

    bench = add("bench", run_bench)
    bench.add_argument("--full", action="store_true", help="more rounds, more work")
    bench.add_argument("--job", action="append", metavar="NAME", help="this job only; repeatable")
    bench.add_argument("--list", action="store_true", help="only name the jobs")
    bench.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write table, JSON and chart there"
    )
    bench.add_argument("--store", action="store_true", help="write into the project's table")

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


def run_grade(arguments: argparse.Namespace) -> int:
    """`course grade`."""
    from exercises.grading import grade

    return grade.run(
        arguments.submissions,
        unit=arguments.unit,
        out=arguments.out,
        jobs=arguments.jobs,
        backend=arguments.backend,
        scheduler=arguments.scheduler,
        seed=arguments.seed,
        confine=arguments.confine,
        again=arguments.again,
        one=arguments.one,
        identity=os.environ if arguments.one else None,
    )


def run_release(arguments: argparse.Namespace) -> int:
    """`course release`."""
    from exercises.grading import release

    print(release.run(arguments.unit, out=arguments.out, gradescope=arguments.gradescope))
    return 0


def run_test(arguments: argparse.Namespace) -> int:
    """`course test`."""
    from exercises import testing

    return testing.run(
        quick=arguments.quick,
        library=arguments.library,
        notebooks=arguments.notebooks,
        browser=arguments.browser,
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


def run_bench(arguments: argparse.Namespace) -> int:
    """`course bench`."""
    import dbnlib  # noqa: F401  (before NumPy: it sets how OpenBLAS waits)
    from tests.benchmarks import command

    if arguments.list:
        print(command.listing())
        return 0
    return command.run(
        full=arguments.full, names=arguments.job or [], out=arguments.out, store=arguments.store
    )


def run_demo(arguments: argparse.Namespace) -> int | None:
    """`course demo`."""
    from exercises import demo

    return demo.run(arguments.out, seed=arguments.seed, epochs=arguments.epochs)


if __name__ == "__main__":
    sys.exit(main())
