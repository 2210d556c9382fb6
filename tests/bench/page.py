"""page - BENCHMARKS.md from the results of one run. Pure: what was measured in, text out."""
import changes
import judge

HEAD = """# Benchmarks

{date}, {cores} × {cpu}, {memory} GB, {disk}, Linux {kernel}, relais {commit}. Clients, workers and
server together on this machine, over loopback, not pinned to cores unless a row says so. {rounds}
rounds of {seconds} s, each through all measurements, relais and its peers in turn, in {minutes:.0f}
minutes; a figure is the median of the rounds, a ratio the median of the ratios of each round (in
brackets: lowest and highest). Payloads of 100 bytes; times are p50 / p99. Peers are Debian's
packages as they come; of Redis the best of several depths, windows and numbers of connections
counts.

`make bench` writes this page, the plots and [what was measured]({json}), all from this one run.
"""
SKIPPED = "Not here, and so left out: {names}.\n"
OVERLOAD = """Native frames of 64 tasks and HTTP creates together. At load 1 senders wait for
answers and for as long as a refusal says; at 0.7 and at 3 times what was accepted then they keep
their pace whatever the server answers. "Not sent": all connections were busy, or too much was
unanswered."""
CHANGED = """Each was measured by itself, mostly in interleaved pairs of the program before and
after it, and not in the run of this page."""
FIELDS = (("ready_ms", "ms until ready"), ("idle_kb", "KB a worker"),
          ("after_traffic_kb", "KB a worker after traffic"), ("waiting_kb", "KB a worker"),
          ("up_mb_s", "MB/s up"), ("down_mb_s", "MB/s down"), ("behind_max_s", "s behind"))
NO_RATE = ("idle", "restart", "files", "pending", "fill")


def figures(row):
    shown = []
    if row.get("rate") and row.get("scenario") not in NO_RATE:
        shown.append(f"{row['rate']:,.0f} /s")
    for key, words in (("ack_", "acknowledged "), ("worker_", "worker has it "),
                       ("settled_", "settled "), ("before_", "alone "),
                       ("meanwhile_", "meanwhile "), ("", "")):
        if f"{key}p50_us" in row:
            shown.append(f"{words}{row[f'{key}p50_us']:,.0f} / {row[f'{key}p99_us']:,.0f} µs")
    shown += [f"{judge.number(row[key])} {words}" for key, words in FIELDS if key in row]
    if "rss_mb" in row:
        shown.append(f"{judge.number(row['rss_mb'])} MB")
    return ", ".join(shown)


def amount(value, field):
    """A figure with the unit of its field."""
    for end, unit in (("_us", " µs"), ("_mb_s", " MB/s"), ("mb_s", " MB/s"), ("_mb", " MB"),
                      ("_kb", " KB"), ("_ms", " ms"), ("_s", " s")):
        if field.endswith(end):
            return judge.number(value) + unit
    return f"{value:,.0f}/s"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows],
            ""]


def with_guarantee(figure, measure):
    return f"{figure}<br>{measure['guarantee']}" if measure["guarantee"] else figure


def beside(run, said, aim):
    """The peer's figure of this run, or the machine's floor for what has no peer."""
    if said["theirs"]:
        other = run["measures"][said["theirs"]]
        figure = f"{amount(said['their_figure'], aim.their_field)} {other['who']}, {other['words']}"
        return with_guarantee(figure, other) if other["who"] != "relais" else figure
    shown = []
    stock = [(row[key], name) for name, row in run.get("stocks", {}).items()
             for key in {"rss_mb": ("rss_mb",), "ready_ms": ("ready_ms",)}.get(aim.field, ())
             if key in row]
    if stock and "1M" in aim.work:
        shown.append(f"{amount(min(stock)[0], aim.field)} {min(stock)[1]}")
    floor = run["measures"].get(aim.floor[0], {})
    if floor.get("rows"):
        figure = judge.median(floor["rows"])[aim.floor[1]]
        shown.append(f"{amount(figure, aim.floor[1])} {floor['words']}")
    return "; ".join(shown)


def aims_table(run, aims):
    rows = []
    for said, aim in zip(run["aims"], aims):
        measure = run["measures"].get(said["ours"] or aim.ours[0], {})
        command = f"`relais bench {measure['command']}`" if measure else ""
        limit = f"{'≤' if aim.most else '≥'} {judge.number(aim.reach)} {aim.unit}"
        if said["figure"] is None:
            why = "with `--full`" if aim.full and not run["full"] else "not measured"
            rows.append((aim.row, aim.work, command, "", "", "", limit, why))
            continue
        shown = ""
        if aim.theirs:
            shown = f"{judge.number(said['figure'])} × ({judge.number(said['low'])}–" \
                    f"{judge.number(said['high'])})"
        ours = with_guarantee(amount(said["our_figure"], aim.field), measure)
        rows.append((aim.row, aim.work, command, ours, beside(run, said, aim), shown, limit,
                     judge.verdict(said)))
    return table(("#", "work", "command", "relais, and what an acknowledgement means",
                  "beside it in the same run", "ratio", "aim", "reached"), rows)


def measures_table(run, who):
    rows = [(m["words"], figures(judge.median(m["rows"])), m["guarantee"], f"`{m['command']}`")
            for m in run["measures"].values() if m["rows"] and (m["who"] == "relais") == who]
    if not who:
        rows = [(f"{m['who']}: {m['words']}", figures(judge.median(m["rows"])), m["guarantee"],
                 f"`{m['command']}`")
                for m in run["measures"].values() if m["rows"] and m["who"] != "relais"]
    return table(("what", "figures", "an acknowledgement means", "command"), rows)


def stocks_table(run):
    return table(("peer", "memory with 1M queued", "ready after kill -9", "a worker that waits"),
                 [(name, amount(row["rss_mb"], "rss_mb") if "rss_mb" in row else "–",
                   amount(row["ready_ms"], "ready_ms") if "ready_ms" in row else "–",
                   amount(row["idle_kb"], "idle_kb") if "idle_kb" in row else "–")
                  for name, row in run["stocks"].items()])


def hotspots(run):
    lines = []
    for key, found in run["hotspots"].items():
        measure = run["measures"][key]
        lines += [f"**{measure['words']}** (`relais bench {measure['command']}`, "
                  f"{found['tool']}, shares of all the server's samples)", ""]
        lines += [f"- {thread['thread']} {thread['share']} %: " + ", ".join(
                  f"`{name}` {share}" for name, share in thread["top"]) for thread in
                  found["threads"]]
        lines.append("")
    return lines


def times(row, key):
    if f"{key}_p50_us" not in row:
        return "–"
    return f"{judge.number(row[f'{key}_p50_us'] / 1e3)} / " \
           f"{judge.number(row[f'{key}_p99_us'] / 1e3)} ms"


def overload(run):
    """Every line of the scenario: what it can take, 0.7 of that, and three times that."""
    rows = [(measure["command"], row) for measure in run["measures"].values()
            for row in measure.get("lines", []) if "load" in row]
    return table(("command", "load", "offered", "accepted", "refused", "not sent",
                  "acknowledged", "worker has it", "refused after", "HTTP: created",
                  "HTTP: refused after", "most memory"),
                 [(f"`{command}`", f"{row['load']:g} ×",
                   *[f"{row[f'{key}_rate']:,.0f}/s"
                     for key in ("offered", "accepted", "refused", "unsent")],
                   *[times(row, key)
                     for key in ("ack", "worker", "refusal", "http_ack", "http_refusal")],
                   amount(row["rss_peak_mb"], "rss_peak_mb")) for command, row in rows])


def page(run, aims, plots):
    lines = HEAD.format(**run["machine"], rounds=run["rounds"], seconds=run["seconds"],
                        minutes=run["took_s"] / 60, json=run["json"]).split("\n")
    if run["skipped"]:
        lines += [SKIPPED.format(names=", ".join(run["skipped"]))]
    known = [said for said in run["aims"] if said["reached"] is not None]
    lines += ["## Figures to reach", "",
              f"{sum(said['reached'] for said in known)} of {len(known)} are reached.", "",
              *aims_table(run, aims)]
    if run["hotspots"]:
        lines += ["## Where the time goes in what is not reached", "", *hotspots(run)]
    lines += ["## What profiles led to", "", CHANGED, "",
              *table(("what", "where the time went", "what was changed", "after : before"),
                     changes.CHANGES), ""]
    if plots:
        lines += ["## Curves", "", *[line for name in plots for line in
                                     (f"![{name[1]}]({name[0]})", "")]]
    if any("lines" in measure for measure in run["measures"].values()):
        lines += ["## Overload", "", OVERLOAD, "", *overload(run)]
    lines += ["## relais", "", *measures_table(run, True), "## Peers and the machine", "",
              *measures_table(run, False)]
    if run["stocks"]:
        lines += ["## Peers: memory and restart", "", *stocks_table(run)]
    return "\n".join(lines).rstrip("\n") + "\n"
