"""Makes the virtual environment that `make` works with: the hash-pinned lock, and the project, editable.

Run as ``python .ci/setup.py FOLDER``. Runs on any Python 3, so that one which is too old gets a clear line
instead of a traceback.
"""

import os
import subprocess
import sys
import time

OLDEST, TOO_NEW = (3, 11), (3, 14)
LOG_LINES_SHOWN = 25


def main():
    folder = sys.argv[1]
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        return fail(
            "%s is Python %d.%d; paychaos needs 3.11, 3.12 or 3.13. Name one: make setup PYTHON=python3.12"
            % ((sys.executable,) + sys.version_info[:2])
        )
    print("setting up %s (once) …" % folder, end=" ", flush=True)
    begin = time.monotonic()
    python = os.path.join(folder, "bin", "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, "setup.log")
    for words in (
        [sys.executable, "-m", "venv", folder],
        [*pip, "install", "--require-hashes", "-r", "requirements.lock"],
        [*pip, "install", "--no-deps", "--no-build-isolation", "--editable", "."],
    ):
        if not run(words, log):
            return fail("'%s' failed. %s" % (" ".join(words), remedy(words)), log)
    print("done in %d s" % round(time.monotonic() - begin), flush=True)
    return 0


def run(words, log):
    with open(log, "ab") as output:
        return subprocess.call(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output) == 0


def remedy(words):
    if "venv" in words:
        return "On Debian, `apt-get install python3-venv` brings what venv needs."
    return "The lines above say why; `make setup` again continues where it stopped."


def fail(text, log=None):
    if log:
        with open(log, encoding="utf-8", errors="replace") as lines:
            print("\n" + "".join(lines.readlines()[-LOG_LINES_SHOWN:]), file=sys.stderr)
    print("paychaos: " + text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
