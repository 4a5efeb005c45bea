"""Runs modules of CPython's own tests and prints how each test ended, a line each: `id outcome`.

Arguments: modules (`test_socket`), and before them `--without FILE`, whose lines name tests that are left out:
`pattern  # reason`, a shell pattern over ids such as `test_socket.BasicTCPTest.testRecv`.
A test that fails is run once more, as CPython's own runner does on demand: many depend on the machine's speed.
A test that takes longer than LIMIT seconds ends the whole run with every thread's stack.
"""

import faulthandler
import fnmatch
import importlib
import sys
import unittest

from test import support

LIMIT = 120


class Outcomes(unittest.TestResult):
    """How each test ended; a test with subtests that failed has failed."""

    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def startTest(self, test):
        super().startTest(test)
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        print(">", name(test), file=sys.stderr, flush=True)
        self.outcomes[name(test)] = "passed"

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)

    def worse(self, test, outcome, why):
        self.outcomes[name(test)] = outcome
        print(outcome, name(test), why, file=sys.stderr, flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self.worse(test, "failed", self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.worse(test, "failed", self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.worse(test, "failed", f"{subtest}: {err[0].__name__}: {err[1]}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcomes[name(test)] = "skipped"


def name(test):
    return test.id().removeprefix("test.")


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def left_out(file):
    with open(file, encoding="utf-8") as lines:
        patterns = [line.partition("#")[0].strip() for line in lines]
    return [pattern for pattern in patterns if pattern]


def main(arguments):
    patterns = []
    if arguments[0] == "--without":
        patterns = left_out(arguments[1])
        arguments = arguments[2:]
    support.use_resources = ["network"]
    support.verbose = 0
    result = Outcomes()
    for module in arguments:
        loaded = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("test." + module))
        loaded = list(flat(loaded))
        tests = [test for test in loaded if not any(fnmatch.fnmatch(name(test), pattern) for pattern in patterns)]
        unittest.TestSuite(tests).run(result)
        again = [name(test) for test in tests if result.outcomes.get(name(test)) == "failed"]
        if again:
            unittest.defaultTestLoader.loadTestsFromNames(["test." + test for test in again]).run(result)
    for test, outcome in sorted(result.outcomes.items()):
        print(test, outcome)


main(sys.argv[1:])
