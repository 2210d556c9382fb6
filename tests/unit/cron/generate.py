#!/usr/bin/python3
"""generate - writes vectors.txt: cron expressions around changes of the clock, and when they come
due according to a walk over every minute with Python's zoneinfo and according to npm's cron-parser.

    npm install cron-parser && ./generate.py > vectors.txt

A line: expression | zone | after, as Unix minutes | walk: three times, as minutes since the one
before | cron-parser: the same, or = when it agrees. The walk knows nothing of how cron.c works: it
goes minute by minute through UTC and asks zoneinfo what the clocks show.
"""
import json
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

COUNT, RUNS, WINDOW = 10000, 3, 5 * 1440
ZONES = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo",
         "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns", "Asia/Tehran",
         "Europe/Dublin", "Pacific/Chatham", "UTC"]
FIELDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()


def part(rng, low, high, narrow):
    kind = rng.random()
    if kind < 0.3 and not narrow:
        return "*"
    if kind < 0.45:
        return f"*/{rng.choice([2, 3, 5, 10, 15, 20]) if high > 23 else rng.choice([2, 3, 4, 6])}"
    if kind < 0.6:
        a, b = sorted(rng.sample(range(low, high + 1), 2))
        return f"{a}-{b}"
    if kind < 0.7:
        a, b = sorted(rng.sample(range(low, high + 1), 2))
        return f"{a}-{b}/{rng.choice([2, 3])}"
    if kind < 0.85:
        return ",".join(str(v) for v in sorted(rng.sample(range(low, high + 1), 2)))
    return str(rng.randint(low, high))


def expression(rng):
    hours = (0, 5) if rng.random() < 0.7 else (0, 23)
    fields = [part(rng, 0, 59, True), part(rng, *hours, rng.random() < 0.7), "*", "*", "*"]
    if rng.random() < 0.25:
        fields[2] = part(rng, 1, 31, False)
    if rng.random() < 0.1:
        fields[3] = rng.choice(MONTHS + ["3-11", "*/2"])
    if rng.random() < 0.25:
        fields[4] = rng.choice(DAYS + ["0", "7", "1-5", "0,6", "MON-FRI", "5-7"])
    return " ".join(fields)


def values(field, text):
    low, high = FIELDS[field]
    names = {n: i + 1 for i, n in enumerate(MONTHS)} if field == 3 else \
        {n: i for i, n in enumerate(DAYS)} if field == 4 else {}
    found = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span == "*":
            a, b = low, high
        else:
            ends = [names.get(e.upper(), None) for e in span.split("-")]
            ends = [int(t) if e is None else e for e, t in zip(ends, span.split("-"))]
            a, b = ends[0], ends[-1]
        found |= set(range(a, b + 1, int(step or 1)))
    return {v % 7 for v in found} if field == 4 else found


class Cron:
    def __init__(self, text):
        self.sets = [values(i, t) for i, t in enumerate(text.split())]
        self.whole = [s == set(range(low, high + 1)) for s, (low, high) in zip(self.sets, FIELDS)]

    def matches(self, t):
        minute, hour, day, month, weekday = self.sets
        by_day, by_week = t.day in day, t.isoweekday() % 7 in weekday
        both = not self.whole[2] and not self.whole[4]
        return t.minute in minute and t.hour in hour and t.month in month and \
            (by_day or by_week if both else by_day and by_week)


def walk(cron, locals_, at):
    """Due minutes after index `at` of the list of local times, at most RUNS."""
    due = []
    for i in range(at + 1, len(locals_)):
        now, before = locals_[i], locals_[i - 1]
        fires = cron.matches(now) and (cron.whole[1] or now.fold == 0)
        jump = (now.replace(tzinfo=None) - before.replace(tzinfo=None)) // timedelta(minutes=1)
        if jump > 1 and not cron.whole[1]:
            skipped = (before.replace(tzinfo=None) + timedelta(minutes=m) for m in range(1, jump))
            fires = fires or any(cron.matches(t) for t in skipped)
        if fires:
            due.append(i)
            if len(due) == RUNS:
                return due
    return None


def windows():
    """(zone, first minute, [local time of each minute]) around every change of 2010 to 2037."""
    rng = random.Random(1)
    for name in ZONES:
        zone, found, offset = ZoneInfo(name), [], None
        t = datetime(2010, 1, 1, tzinfo=timezone.utc)
        while t.year < 2038:
            now = t.astimezone(zone).utcoffset()
            if offset is not None and now != offset:
                found.append(t)
            offset, t = now, t + timedelta(hours=6)
        still = [datetime(2026, 3, 1, tzinfo=timezone.utc)]
        for t in rng.sample(found, min(14, len(found))) or still:
            first = int((t - timedelta(days=2)).timestamp()) // 60
            yield name, first, [datetime.fromtimestamp((first + m) * 60, zone)
                                for m in range(WINDOW)]


PARSER = """
const {CronExpressionParser} = require('cron-parser');
for (const [e, tz, after] of JSON.parse(require('fs').readFileSync(0))) {
  const due = [];
  try {
    const it = CronExpressionParser.parse(e, {tz, currentDate: new Date(after * 60000)});
    for (let i = 0; i < %d; i++) due.push(it.next().getTime() / 60000);
  } catch (error) {
    console.error(e, tz, after, error.message);
  }
  console.log(JSON.stringify(due));
}
""" % RUNS


def steps(after, due):
    return ",".join(str(b - a) for a, b in zip([after] + due, due))


def main():
    rng, lines = random.Random(2), []
    places = list(windows())
    while len(lines) < COUNT:
        name, first, locals_ = rng.choice(places)
        text, at = expression(rng), rng.randrange(1, 3 * 1440)
        due = walk(Cron(text), locals_, at)
        if due:
            lines.append((text, name, first + at, [first + i for i in due]))
    asked = json.dumps([line[:3] for line in lines])
    run = subprocess.run(["node", "-e", PARSER], input=asked, stdout=subprocess.PIPE, text=True,
                         check=True)
    for (text, name, after, due), other in zip(lines, run.stdout.split("\n")):
        other = json.loads(other)
        print(text, name, after, steps(after, due),
              "=" if other == due else steps(after, other), sep="|")
    return 0


sys.exit(main())
