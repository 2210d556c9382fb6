#!/usr/bin/python3
"""history - looks for broken promises in what producers and workers wrote down: check(histories,
final) offline, after everything was drained.

histories: [(process, lines)], lines as load.h describes them, from native and HTTP processes alike.
final: {id: (status, key, result, checkpoint)}, every task that the broker holds at the end.

lost        acknowledged, and not there at the end: a submit, or a recorded outcome
unexpected  there at the end, and nobody submitted it; or one key became two tasks
double      two outcomes of one run were accepted, or the one that stands is not the accepted one
fence       one epoch went to two processes; or a report was accepted under an epoch although one
            with a newer epoch had been acknowledged before it was said
regress     a checkpoint's number did not rise, a later delivery carried less than what was
            acknowledged before it, or the end shows less
unended     no outcome at the end, though everything was drained; or failed, which nobody reported

An epoch that was handed out and never recorded may be overtaken by an older one that came back
first after a crash (a first delivery leaves before it is on disk): that is why the fence is judged
by what was acknowledged, not by what was begun.
"""
import collections

KINDS = ("lost", "unexpected", "double", "fence", "regress", "unended")
COMPLETED = 6


class History:
    """The operations of all processes, by what they speak of."""

    def __init__(self, histories):
        self.counts = collections.Counter()
        self.invoked = {}                        # key -> when it was first submitted
        self.acknowledged = {}                   # id -> key
        self.ids = collections.defaultdict(set)  # key -> ids
        self.runs = collections.defaultdict(list)      # id -> (when, epoch, process, checkpoint)
        self.said = {}                           # (what, id, epoch) -> when first
        self.accepted = collections.defaultdict(list)  # (what, id) -> (when, epoch, seq)
        for process, lines in histories:
            for line in lines:
                if line.endswith("\n"):  # kill -9 may cut the last one off
                    self.take(process, line.split())

    def take(self, process, words):
        when, verb = int(words[0]), words[1]
        if verb == "run":
            task, epoch, _, checkpoint = map(int, words[2:6])
            self.runs[task].append((when, epoch, process, checkpoint))
            self.counts["run"] += 1
        elif words[2] == "submit":
            self.take_submit(when, verb, words)
        elif verb == "invoke":
            self.said.setdefault((words[2], int(words[3]), int(words[4])), when)
        else:
            code = int(words[5])
            self.counts[f"{words[2]} {'accepted' if code == 0 else 'refused'}"] += 1
            if code == 0:
                seq = int(words[6]) if len(words) > 6 else 0
                self.accepted[words[2], int(words[3])].append((when, int(words[4]), seq))

    def take_submit(self, when, verb, words):
        key = words[3]
        if verb == "invoke":
            self.invoked.setdefault(key, when)
        elif verb == "ok":
            self.acknowledged[int(words[4])] = key
            self.ids[key].add(int(words[4]))
            self.counts["submit acknowledged"] += 1
        else:
            self.counts["submit refused"] += 1


def tasks_lost(history, final):
    for task, key in history.acknowledged.items():
        if task not in final:
            yield "lost", f"task {task} ({key}) was acknowledged"
        elif final[task][1] != key:
            yield "lost", f"task {task} was acknowledged for {key} and is {final[task][1]}"
    for (what, task), reports in history.accepted.items():
        if what == "done" and (task not in final or final[task][0] != COMPLETED):
            yield "lost", f"task {task}: the outcome of epoch {reports[0][1]} was acknowledged"


def tasks_unexpected(history, final):
    keys = collections.Counter()
    for task, (_, key, _, _) in final.items():
        keys[key] += 1
        if key not in history.invoked:
            yield "unexpected", f"task {task} ({key!r}) was never submitted"
        elif keys[key] > 1:
            yield "unexpected", f"task {task} is a second one of {key}"
    for key, ids in history.ids.items():
        if len(ids) > 1:
            yield "unexpected", f"{key} was acknowledged as tasks {sorted(ids)}"


def outcomes_double(history, final):
    for (what, task), reports in history.accepted.items():
        epochs = {epoch for _, epoch, _ in reports}
        if what != "done":
            continue
        if len(epochs) > 1:
            yield "double", f"task {task} was completed under epochs {sorted(epochs)}"
        result = final[task][2] if task in final else None
        if result is not None and int(result.split()[-1]) not in epochs:
            yield "double", f"task {task}: {sorted(epochs)} was accepted, {result!r} stands"


def outcomes_missing(final):
    for task, (status, key, _, _) in final.items():
        if status != COMPLETED:
            yield "unended", f"task {task} ({key}) has status {status}"


def fences_broken(history):
    for task, runs in history.runs.items():
        holders = {}
        for _, epoch, process, _ in runs:
            if holders.setdefault(epoch, process) != process:
                yield "fence", f"task {task}: epoch {epoch} went to {holders[epoch]} and {process}"
    by_task = collections.defaultdict(list)
    for (what, task), reports in history.accepted.items():
        by_task[task] += [(when, epoch, history.said.get((what, task, epoch), when), what)
                          for when, epoch, _ in reports]
    for task, reports in by_task.items():
        for when, epoch, _, what in reports:
            for _, older, said, stale in reports:
                if older < epoch and said > when:
                    yield "fence", (f"task {task}: {stale} under {older} was accepted after {what}"
                                    f" under {epoch}")


def checkpoints_back(history, final):
    for (what, task), points in history.accepted.items():
        if what != "checkpoint":
            continue
        points.sort()
        for before, after in zip(points, points[1:]):
            if after[2] <= before[2]:
                yield "regress", f"task {task}: checkpoint {after[2]} after {before[2]}"
        for when, epoch, seq in points:
            for begun, later, _, carried in history.runs.get(task, ()):
                if later > epoch and begun > when and carried < seq:
                    yield "regress", (f"task {task}: epoch {later} began from {carried},"
                                      f" {seq} was acknowledged")
        if task in final and final[task][3] < points[-1][2]:
            yield "regress", f"task {task} ends with {final[task][3]}, not {points[-1][2]}"


def check(histories, final):
    """({kind: [sentence]}, counts of what was seen)."""
    history = History(histories)
    found = {kind: [] for kind in KINDS}
    for finder in (tasks_lost, tasks_unexpected, outcomes_double, checkpoints_back):
        for kind, sentence in finder(history, final):
            found[kind].append(sentence)
    for kind, sentence in [*outcomes_missing(final), *fences_broken(history)]:
        found[kind].append(sentence)
    counts = history.counts
    counts["task submitted"] = len(history.invoked)
    counts["task at the end"] = len(final)
    counts["task begun more than once"] = sum(
        len({epoch for _, epoch, _, _ in runs}) > 1 for runs in history.runs.values())
    counts["task begun and not there"] = sum(task not in final for task in history.runs)
    return found, counts


def report(found, counts):
    """Lines for people; the first sentences of each kind that is not 0."""
    lines = ["; ".join(f"{count} {name}" for name, count in sorted(counts.items())),
             " ".join(f"{kind}={len(found[kind])}" for kind in KINDS)]
    for kind in KINDS:
        lines += [f"  {kind}: {sentence}" for sentence in found[kind][:10]]
    return "\n".join(lines)
