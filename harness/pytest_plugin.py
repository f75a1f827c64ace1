"""The pytest plugin: a scenario in a test module, or in a Python file named on the command line, is a test.

It is loaded into every pytest run where paychaos is installed. So it imports next to nothing until there is a
scenario to run, patches nothing, and leaves alone everything that is not a Scenario.
"""

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.scenario import Scenario
    from harness.testing import Session

SCENARIO_MODULE = "harness.scenario"
DEFAULT_RUNS = 100


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("paychaos", "scenarios")
    group.addoption(
        "--paychaos-seed", type=_seed, metavar="N", help="explore these runs (default: today's date)"
    )
    group.addoption(
        "--paychaos-runs",
        type=_runs,
        metavar="N",
        default=DEFAULT_RUNS,
        help=f"runs of each scenario (default {DEFAULT_RUNS})",
    )
    group.addoption(
        "--paychaos-build",
        metavar="TARGET:BUILD",
        action="append",
        default=[],
        help="which build of a target (repeatable, for several targets)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Settles the seed once: xdist hands it on to its workers with the other options."""
    if config.option.paychaos_seed is None:
        from harness.realtime import seed_of_today

        config.option.paychaos_seed = seed_of_today()


def pytest_report_header(config: pytest.Config) -> str:
    return f"paychaos: seed {config.option.paychaos_seed}"


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> "ScenarioItem | None":
    """Makes a test of a Scenario whose name is public; None leaves everything else to pytest."""
    module = sys.modules.get(SCENARIO_MODULE)
    if name.startswith("_") or module is None or not isinstance(obj, module.Scenario):
        return None
    item: ScenarioItem = ScenarioItem.from_parent(collector, name=name, scenario=obj)
    return item


def pytest_sessionfinish(session: pytest.Session) -> None:
    running = session.config.stash.get(SESSION, None)
    if running is not None:
        running.close()


SESSION: "pytest.StashKey[Session]" = pytest.StashKey()


class ScenarioItem(pytest.Item):
    """One scenario as a test. It is searched in a worker process, as by the command line."""

    def __init__(self, *, scenario: "Scenario", **options: Any) -> None:
        super().__init__(**options)
        self.scenario = scenario

    def runtest(self) -> None:
        from harness.testing import Session

        options = self.config.option
        session = self.config.stash.setdefault(
            SESSION,
            Session(
                options.paychaos_seed,
                options.paychaos_runs,
                options.paychaos_build,
                self.config.invocation_params.dir,
            ),
        )
        self.user_properties.append(("paychaos_seed", options.paychaos_seed))
        self.user_properties += session.search(self.scenario, self.path)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What a reader needs, which is never our stack, unless it is our bug."""
        from harness.errors import HarnessError, PaychaosError

        if isinstance(excinfo.value, PaychaosError) and not isinstance(excinfo.value, HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        line = self.scenario.workload.__code__.co_firstlineno - 1
        return self.path, line, f"scenario {self.scenario.name}"


def _seed(word: str) -> int:
    from harness.commands.values import seed

    return seed(word)


def _runs(word: str) -> int:
    from harness.commands.values import runs

    return runs(word)
