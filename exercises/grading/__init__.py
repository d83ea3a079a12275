"""The grading engine: a trusted grader, an untrusted worker, and a guide for authors of units.

Who talks to whom
-----------------
The student's code runs in a *worker*, a process that is confined as far as the system allows, and
answers calls. The *grader* is pytest with `plugin`: it makes the inputs, holds the references, and
compares. What comes back from the worker is data; nothing that a student writes runs in the grader.

=================  ==============================================================================
`protocol`         messages: a length, a JSON header, raw bytes of arrays
`worker`           the program that loads the student's file and answers calls
`warden`           the process above the worker, which ends all that the worker started
`sandbox`          levels of confinement; `landlock` and `seccomp` are two of its means
`client`           starts a worker, asks it, and waits no longer than it may
`student`          what a test has in hand: `student.call(...)` gives an `Answer`
`feedback`         `expect` and `expect_draws`; `wording` puts values into words
`drawing`          inputs that tell answers apart, and whether `rng` is the one source of draws
`plugin`           marker `exercise`, fixtures `student` and `inputs`
`report`           the marks of a student in a unit, and their table
`units`, `check`   where the units are; `course check`
`untouched`        whether a program still stands as it was handed out, with its error
`grade`, `batch`   `course grade`: who needs a mark, and many graded at once
`submissions`      the one file in what was handed in; `archives` reads zips
`record`           what a batch keeps of one student
`platforms`        a student's marks for Gradescope, Classroom 50, JUnit, and as a page
`summary`          the class: what was failed, what is thought wrongly; a table for spreadsheets
`similarity`       sources that are alike, for a person to judge
`names`            words of strangers, made harmless for where they are written
`release`          `course release`: the students' copy, an autograder; `hidden` takes out tests
=================  ==============================================================================

How to write a unit
-------------------
Make a folder `exercises/unit_NN_name` with three files. No other file names the unit.

1. `task.md` begins with `# NN · Title`. It has a table with a row for each function and its points.
2. `unit_NN.py` holds the stubs: typed, documented, `raise NotImplementedError`. Arrays in, arrays
   out, and an argument `rng` where chance is needed. It imports NumPy only.
3. `test_unit_NN.py` is the grader, one test for each thing that must have been understood:

    @pytest.mark.exercise(
        "hidden_mean",                    # the function it is about
        points=2,                         # 1 if left out
        hints=("…", "…", "…"),            # three, on the first test of each function
        see="The conditionals",           # a section of the unit's notebook
        visibility="visible",             # or "hidden", "after_due_date", "after_published"
        seconds=10,                       # for loading and all calls of the test together
        after="test_…",                   # a test that must be passed for this one to count
    )
    def test_hidden_mean_adds_the_bias(student, inputs):
        '''The claim, in one sentence: it is printed above the message.'''
        W, c, v = …                       # drawn from `inputs`, a Generator; small, two digits
        expect(
            student.call("hidden_mean", v=v, W=W, c=c),
            right=RBM(W, c=c).hidden_mean(v),
            misconceptions={"That is what comes out without the bias.": sigmoid(v @ W)},
        )

What to know
------------
- The oracle is `dbnlib`. The worker cannot import it.
- `misconceptions` maps a sentence to the value that it leads to. Choose inputs on which they
  differ from what is right and from each other: numbers away from 0 with two random digits, and
  square matrices, which let a transposed one through. A test runs the bank with many inputs.
- Where chance is needed pass `rng=Seed(n)`: the worker makes a Generator of it. Judge the draws
  with `expect_draws`, which bounds the chance of failing a right sampler, whatever its order.
- A test that even a wrong answer can pass, such as that equal generators give equal draws, gets
  `after="test_…"`: a test above it, of the same function. While that one is not passed the points
  of this one are "not counted" (in pytest a skip), and the student is told what comes first.
- A test that computes with an answer takes it by `answer.array(shape)`, or of a tuple by
  `answer.array(shape, part, n_parts)`. It fails the student and not the grader where it is
  something else, and fails by `raise answer.wrong(...)`.
- `NotImplementedError` from a stub skips the test: "not attempted yet", no points. Every other
  exception of the student's is a failure with a message. Any other exception in a test is a fault
  of the grader: it is marked as such.
- A unit may hand out programs that run and are wrong, instead of stubs (as exercises/bug_hunt does,
  which has no number: its files are task.md, bug_hunt.py, test_bug_hunt.py, and its `see` says in
  which notebook, "03: Title"). No test may pass on them. Its grader holds HANDED_OUT, a fingerprint
  of each function: one that is as it was handed out, and fails, is "not attempted yet" too.
- Then fill the bank: `tests/exercises/answers/unit_NN.toml` wants, for each function, a right
  answer written otherwise and four wrong ones. `python -m tests.exercises.bank` prints what the
  grader says of each.
"""

from exercises.grading.feedback import expect, expect_draws
from exercises.grading.protocol import Seed

__all__ = ["Seed", "expect", "expect_draws"]
