"""A reproducer whose plan names a dependency's own fault is read in a process that has loaded no target yet."""

import json
import subprocess
import sys
from pathlib import Path

from harness.fault import Fault
from harness.plan import Plan
from harness.reproducer import Reproducer


def test_a_plan_with_a_fault_of_a_dependency_is_read_before_any_target_is_loaded(tmp_path: Path) -> None:
    plan = Plan(7, faults=(Fault("provider_error_after", "api>provider POST /v1/payment_intents#1"),))
    made = Reproducer(
        "checkout", "staging", "provider_errors", "duplicate_charge", "o-1", "…", plan, "d", 1, 1, 1
    )
    place = tmp_path / "found.json"
    place.write_text(json.dumps(made.to_json()))
    code = (
        "import sys; from pathlib import Path; from harness.reproducer import read;"
        " print(read(Path(sys.argv[1])).plan.faults[0].kind)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, place], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "provider_error_after\n", done.stderr
