"""Taking hidden tests out of a grader's source, and with them what only they used."""

from __future__ import annotations

import ast

from exercises.common import CourseError


def without_hidden_tests(text: str) -> tuple[str, int]:
    """A grader's source without the tests that are not `visible`, and how many these were.

    What only such tests used (helpers, constants) goes too, and comments right above what goes.

    Raises
    ------
    CourseError
        when a test's visibility is not written as a plain text
    """
    n_hidden, gone = 0, set()
    while True:
        tree = ast.parse(text)
        hidden = [node for node in tree.body if is_hidden(node)]
        n_hidden += len(hidden)
        gone |= {name for node in hidden for name in used(node)}
        rest = [node for node in tree.body if node not in hidden]
        still = {name for node in rest for name in used(node) if name not in defined(node)}
        unused = [node for node in rest if defined(node) and defined(node) <= gone - still]
        leaving = hidden + unused
        if not leaving:
            return text, n_hidden
        gone |= {name for node in unused for name in used(node)}
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


def defined(node: ast.stmt) -> set[str]:
    """The names that a statement of a module makes: of a function, a constant, or imports."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name} if not node.name.lower().startswith("test") else set()
    if isinstance(node, ast.Assign):
        names = [name for target in node.targets for name in ast.walk(target)]
        return {name.id for name in names if isinstance(name, ast.Name)}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return set()


def used(node: ast.stmt) -> set[str]:
    """All names in a statement; arguments too, as fixtures are asked for by these."""
    found = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return found | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


def cut(text: str, nodes: list[ast.stmt]) -> str:
    """The text without these statements, and the comments and blank lines right above them."""
    lines = text.splitlines(keepends=True)
    for node in sorted(nodes, key=lambda node: -node.lineno):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]) - 1
        while first and (lines[first - 1].startswith("#") or not lines[first - 1].strip()):
            first -= 1
        del lines[first : node.end_lineno]
    return "".join(lines)
