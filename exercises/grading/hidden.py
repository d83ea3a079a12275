"""Taking hidden tests out of a grader's source, and with them what only they used."""

from __future__ import annotations

import ast

from exercises.common import CourseError

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
MAKES_NAMES = (*FUNCTIONS, *ASSIGNMENTS, ast.Import, ast.ImportFrom)


def without_hidden_tests(text: str) -> tuple[str, int]:
    """A grader's source without the tests that are not `visible`, and how many these were.

    What only such tests used (helpers, constants) goes too, and comments right above what goes and
    right below.

    Raises
    ------
    CourseError
        when a test's visibility is not written as a plain text, or a grader with hidden tests has
        statements of which nobody can say whose they are, such as a loop
    """
    n_hidden, gone = 0, set()
    while True:
        tree = ast.parse(text)
        hidden = [node for node in tree.body if is_hidden(node)]
        n_hidden += len(hidden)
        if hidden:
            check_statements(tree)
        gone |= {name for node in hidden for name in used(node) | in_words(node)}
        rest = [node for node in tree.body if node not in hidden]
        still = {name for node in rest for name in used(node) if name not in defined(node)}
        unused = [node for node in rest if defined(node) & gone and not defined(node) & still]
        leaving = hidden + unused
        if not leaving:
            return text, n_hidden
        gone |= {name for node in unused for name in used(node) | in_words(node)}
        text = cut(text, leaving)


def is_hidden(node: ast.stmt) -> bool:
    """Whether a statement is a test, or a class of tests, that students do not see."""
    for decorator in getattr(node, "decorator_list", ()):
        if not isinstance(decorator, ast.Call):
            continue
        for keyword in decorator.keywords:
            if keyword.arg is None:
                raise CourseError("an exercise's marker must name its arguments one by one")
            if keyword.arg == "visibility":
                if not isinstance(keyword.value, ast.Constant):
                    raise CourseError("an exercise's visibility must be written as a plain text")
                return keyword.value.value != "visible"
    return False


def check_statements(tree: ast.Module) -> None:
    """CourseError unless each statement of the module makes names, or is its docstring."""
    for n, node in enumerate(tree.body):
        if isinstance(node, MAKES_NAMES) or (n == 0 and ast.get_docstring(tree) is not None):
            continue
        raise CourseError(
            f"line {node.lineno} of a grader with hidden tests is no definition: nobody can say "
            "whether students may see it. Put it into a function or a fixture"
        )


def defined(node: ast.stmt) -> set[str]:
    """The names that a statement of a module makes or changes: functions, constants, imports."""
    if isinstance(node, FUNCTIONS):
        return {node.name} if not node.name.lower().startswith("test") else set()
    if isinstance(node, ASSIGNMENTS):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {name for target in targets for name in assigned(target)}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return set()


def assigned(target: ast.expr) -> set[str]:
    """The names that a target of an assignment is made of: T of T[KEY], A and B of A, B."""
    if isinstance(target, ast.Name):
        return {target.id}
    if isinstance(target, (ast.Tuple, ast.List)):
        return {name for part in target.elts for name in assigned(part)}
    return assigned(target.value)  # of a subscript, an attribute, a star


def in_words(node: ast.stmt) -> set[str]:
    """Texts in a statement that could be names, as of fixtures: usefixtures("given")."""
    texts = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return {text for text in texts if isinstance(text, str) and text.isidentifier()}


def used(node: ast.stmt) -> set[str]:
    """All names in a statement; arguments too, as fixtures are asked for by these."""
    found = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return found | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


def cut(text: str, nodes: list[ast.stmt]) -> str:
    """The text without these statements, blank lines above them, and comments on either side."""
    lines = text.splitlines(keepends=True)
    for node in sorted(nodes, key=lambda node: -node.lineno):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]) - 1
        while first and (lines[first - 1].startswith("#") or not lines[first - 1].strip()):
            first -= 1
        last = node.end_lineno
        while is_comment_below(lines[last:]):
            last += 1
        del lines[first:last]
    return "".join(lines)


def is_comment_below(lines: list[str]) -> bool:
    """Whether lines begin with a comment; behind blank ones it is above only if it is indented."""
    first = next((line for line in lines if line.strip()), "")
    if not first.lstrip().startswith("#"):
        return False
    return first is lines[0] or first[0].isspace()
