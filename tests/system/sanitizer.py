"""What the sanitizers of gcc and clang are told, and what they say.

Their reports go to files: a program that was expected to fail, or that was
killed, could hide what it wrote and how it ended. A build without sanitizers
reads none of this.
"""
import glob
import os

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def options(reports):
    """The variables of the environment."""
    common = "exitcode=86:log_path=%s/report" % reports
    leaks = os.path.join(TESTS, "lsan.supp")
    races = os.path.join(TESTS, "tsan.supp")
    return {
        "ASAN_OPTIONS": common + ":detect_stack_use_after_return=1",
        "LSAN_OPTIONS": "%s:print_suppressions=0:suppressions=%s"
        % (common, leaks),
        "TSAN_OPTIONS": "%s:second_deadlock_stack=1:suppressions=%s"
        % (common, races),
        "UBSAN_OPTIONS": "print_stacktrace=1:log_path=%s/report" % reports,
    }


def prepare(reports):
    """Any user may write a report."""
    os.mkdir(reports)
    os.chmod(reports, 0o777)


def check(reports):
    """Raise if a program of the test was found at fault."""
    text = ""
    for path in sorted(glob.glob(os.path.join(reports, "report.*"))):
        with open(path, errors="backslashreplace") as f:
            text += f.read()
    assert not text, text[:8000]
