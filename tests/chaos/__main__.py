"""``make chaos``: kill the pipeline at random moments, and see whether anything is lost.

The pipeline runs once in a copy of the repository (tiny profile), once more with two training processes, and the
digests of all results are kept. Then: a fresh clone elsewhere that is killed again and again until it is done, and
trials of single stages. Exit status 1 if anything was lost; the copies are kept then.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.state import Digests, results
from tests.chaos.trial import RUNS, Outcome, Plan, draw, draw_kill, repro, trial
from tests.repository import ELSEWHERE, Copy

WHOLE = "everything"
ROW = "{:>5}  {:<10} {:>9}  {:<42} {:<12} {:>9}  {}\n"


@dataclass(frozen=True)
class World:
    """A repository where all has run, what it holds, and how many seconds of processor time each stage takes."""

    copy: Copy
    processes: int
    expected: Digests
    lasts: dict[str, float]

    def restore(self) -> None:
        """As it was before the first trial."""
        shutil.rmtree(self.copy.path)
        shutil.copytree(_kept(self.copy), self.copy.path, symlinks=True)


def main(arguments: list[str]) -> int:
    """Run all trials; returns the exit status."""
    options = _options(arguments)
    say(f"seed {options.seed}")
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="chaos-", dir=options.folder))
    generator = random.Random(options.seed)
    first = make(folder / "first", 1)
    worlds = [first, first, first, make(folder / "second", 2)] if options.two else [first]
    say(ROW.format("", "stage", "processes", "killed", "resumed at", "afterlife", "lost"))
    outcomes = [whole(first, generator, options.whole)]
    tried = {world.processes: Counter[str]() for world in worlds}
    while len(outcomes) <= options.trials:
        world = worlds[len(outcomes) % len(worlds)]
        plan = draw(generator, world.lasts, tried[world.processes])
        outcome = trial(world.copy, plan, world.expected)
        if outcome.struck or outcome.faults:
            outcomes.append(outcome)
            tried[world.processes][str(plan.stage)] += 1
            say(row(len(outcomes) - 1, plan, world.processes, outcome))
        if outcome.faults:
            world.restore()
    say(counts(outcomes, tried))
    say(f"{(time.monotonic() - began) / 60:.0f} minutes")
    lost = any(outcome.faults for outcome in outcomes)
    if not lost:
        shutil.rmtree(folder)
    if not any(outcome.resumed for outcome in outcomes):
        say("no training went on from where it was killed: nothing is shown; take more trials, or another seed")
        return 1
    return int(lost)


def make(path: Path, processes: int) -> World:
    """Run the pipeline to its end."""
    copy = Copy.make(path)
    copy.run("zonkey", "profile", "tiny", "--set", f"train.processes={processes}")
    lasts = repro(copy)
    copy.commit()
    shutil.copytree(path, _kept(copy), symlinks=True)
    expected = results(path)
    say(f"{processes} processes: {len(expected)} files; " + ", ".join(f"{k} {v:.1f} s" for k, v in lasts.items()))
    if processes > 1:
        lasts = {stage: lasts[stage] for stage in RUNS}
    return World(copy, processes, expected, lasts)


def whole(world: World, generator: random.Random, kills: int) -> Outcome:
    """The whole pipeline in a fresh clone, elsewhere, killed every so often until it is done."""
    clone = world.copy.clone(world.copy.path.parent / "clone", **ELSEWHERE)
    all_stages = sum(world.lasts.values())
    plan = Plan(None, tuple(draw_kill(generator, all_stages / 3) for _ in range(kills)))
    outcome = trial(clone, plan, world.expected)
    say(row(0, plan, world.processes, outcome))
    return outcome


def row(number: int, plan: Plan, processes: int, outcome: Outcome) -> str:
    """One trial of the table, a line for each kill and each loss."""
    killed = [f"{name} to {target} of {there}" for name, target, there in outcome.struck] or ["-"]
    resumed = " ".join(map(str, outcome.resumed)) or "-"
    lost = "; ".join(outcome.faults) or ("-" if not outcome.mended else "- (lock mended)")
    lines = ROW.format(number, plan.stage or WHOLE, processes, killed[0], resumed, f"{outcome.afterlife:.1f} s", lost)
    return lines + "".join(ROW.format("", "", "", more, "", "", "") for more in killed[1:])


def counts(outcomes: list[Outcome], tried: Mapping[int, Mapping[str, int]]) -> str:
    """What all trials together saw; ``tried``: of how many processes, and of which stage."""
    struck = [kill for outcome in outcomes for kill in outcome.struck]
    signals, targets = (Counter(kill[at] for kill in struck) for at in (0, 1))
    lines = {
        "trials": len(outcomes) - 1,
        "kills": len(struck),
        **{
            f"by stage, {processes} processes": ", ".join(f"{stage} {count}" for stage, count in sorted(stages.items()))
            for processes, stages in tried.items()
        },
        "by signal": ", ".join(f"{name} {count}" for name, count in sorted(signals.items())),
        "by target": ", ".join(f"{name} {count}" for name, count in sorted(targets.items())),
        "trainings that went on": sum(len(outcome.resumed) for outcome in outcomes),
        "longest afterlife": f"{max(outcome.afterlife for outcome in outcomes):.1f} s",
        "DVC's lock cut short, mended": sum(outcome.mended for outcome in outcomes),
        "trials that lost something": sum(bool(outcome.faults) for outcome in outcomes),
    }
    return "".join(f"{name}: {value}\n" for name, value in lines.items())


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    sys.stdout.flush()


def _kept(copy: Copy) -> Path:
    return copy.path.with_name(f"{copy.path.name}-kept")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40, help="of single stages (%(default)s)")
    parser.add_argument("--whole", type=int, default=6, help="kills of a whole run in a fresh clone (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the moments (random)")
    parser.add_argument("--folder", type=Path, help="where the copies go (a temporary folder)")
    parser.add_argument("--one", dest="two", action="store_false", help="without trials of two training processes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
