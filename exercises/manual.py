"""What `course --help` and `course COMMAND --help` say."""

from __future__ import annotations

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
  course check bug_hunt            the programs that you mend
  course check 02 --watch          again each time you save it; Ctrl-C ends
  course check 02 --hint energy    a hint for one function; a number after it: the next ones
  course check 02 --seed 7         other numbers in the tests
""",
    ),
    "grade": (
        "grade what students handed in",
        """\
Run a unit's grader on each submission in a folder: on folders, Python files and zips, one a
student. Files are copied first, and the inputs of the tests are drawn afterwards. A student whose
result is finished is not graded again unless the file, or the grader, has changed.

In OUT: summary.md and summary.json (points, tests, misconceptions, files that are alike),
marks.csv, and for each student in students/NAME: page.md, results.json (Gradescope),
classroom50.json, junit.xml, record.json, and the file that was graded.

A student's code is run only where the sandbox reaches a level: process, limits, no-privilege,
landlock or namespaces. Below landlock a submission can read files, so marks can be forged; macOS
and Windows reach process only. Where the grader itself fails there is no mark, nobody is charged,
and the next run grades that student again. exercises/INSTRUCTORS.md tells all of it.

examples:
  course grade handed-in --unit 02 --out marks/
  course grade handed-in --unit 02 --out marks/ --jobs 8
  course grade ada.zip --one --unit 02 --out marks/
  course grade handed-in --unit 02 --out marks/ --seed 7 --again
  course grade handed-in --unit 02 --out marks/ --confine process
                                   on macOS: no more than a process and a clock
  course grade handed-in --unit 02 --out marks/ --backend dask --scheduler tcp://HOST:8786
""",
    ),
    "release": (
        "make the students' copy of the course, or an autograder for Gradescope",
        """\
Without --gradescope: a folder for students. It holds dbnlib, the notebooks, the named units with
task, stubs and the tests that students may see, the engine that `course check` needs, and the
tests of the library. It does not hold hidden tests, the bank of right and wrong answers,
INSTRUCTORS.md, other units, anybody's own work, or the history of the project.

With --gradescope: for each unit a file autograder_unit_NN.zip to upload as it is. It holds
setup.sh, which installs the course, run_autograder, which runs `course grade` on one submission,
and the course with all tests of the unit, the hidden ones too: it is not for students.

examples:
  course release --unit 01 02 --out for-students
  course release --unit 02 --gradescope --out for-gradescope
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
  course test --browser            notebooks in a real browser: wants Chromium, and Playwright by
                                   `python3 -m uv run --group browser course test --browser`
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
    "bench": (
        "measure how fast the library is on this machine",
        """\
Time the library's work beside its peers, and beside the matrix products of the same work alone.

All contestants of a job run by turns in one process; a ratio is the median over the rounds, with
its quartiles. Peers are scikit-learn and whichever of torch, JAX and learnergy are installed. The
quick mode takes a minute or two, the full one about ten. Grading a class of 300 takes ten more, and
is done only where it is named. Let nothing else run meanwhile.

examples:
  course bench                     the quick mode
  course bench --full --out DIR    the full mode; table, JSON and chart into DIR
  course bench --job cd_1          one job; may be given several times
  course bench --full --job grading
  course bench --list              the names of all jobs
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
