"""scripts/bench and scripts/plot: what they make of figures, without measuring any."""
import importlib.machinery
import importlib.util
import pathlib
import sys
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench"))
import aims  # noqa: E402
import hotspots  # noqa: E402
import judge  # noqa: E402
import page  # noqa: E402
import peers  # noqa: E402


def script(name):
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


plot = script("plot")


def rates(*values):
    return [{"rate": value} for value in values]


RATIO = aims.Aim("1", "work", ("a", "b"), "rate", 2.0, theirs=("x", "y"), their_field="rate")
TIME = aims.Aim("8", "ready", ("a",), "ready_ms", 300, "ms", most=True)


def test_a_ratio_is_taken_round_by_round_with_the_best_on_either_side():
    said = judge.judge(RATIO, {"a": rates(10, 10, 10), "b": rates(20, 30, 90),
                               "x": rates(10, 20, 30), "y": rates(1, 1, 1)})
    assert (said["ours"], said["theirs"]) == ("b", "x")
    assert (said["figure"], said["low"], said["high"]) == (2.0, 1.5, 3.0)
    assert said["reached"] and said["missing"] is None


def test_what_is_missing_is_told():
    short = judge.judge(RATIO, {"a": rates(15), "x": rates(10)})
    assert not short["reached"] and short["missing"] == pytest.approx(0.25)
    assert judge.verdict(short) == "**no**, 25 % short"
    over = judge.judge(TIME, {"a": [{"ready_ms": 450}]})
    assert not over["reached"] and judge.verdict(over) == "**no**, 50 % over"
    assert judge.verdict(judge.judge(TIME, {"a": [{"ready_ms": 300}]})) == "yes"


@pytest.mark.parametrize("found", [{}, {"a": []}, {"a": rates(5)}, {"x": rates(5)}])
def test_what_was_not_measured_is_neither_reached_nor_missed(found):
    said = judge.judge(RATIO, found)
    assert said["reached"] is None and judge.verdict(said) == "not measured"


def test_a_time_is_best_when_it_is_short_and_a_rate_when_it_is_high():
    found = {"a": [{"rate": 1, "p50_us": 9}], "b": [{"rate": 2, "p50_us": 7}]}
    assert judge.best(found, ("a", "b"), "rate") == "b"
    found["a"][0]["p50_us"] = 5
    assert judge.best(found, ("a", "b"), "p50_us") == "a"
    assert judge.choose({**found, "c": rates(3)}, ["a", "b", "c"]) == ["c", "b"]


def test_rounds_of_unequal_number_are_compared_by_their_medians():
    assert judge.ratios([10, 20, 30], [10]) == [2.0]
    assert judge.median([{"a": 1, "s": "x"}, {"a": 3, "s": "y"}, {"a": 9}]) == {"a": 3, "s": "x"}


@pytest.mark.parametrize("value, words", [(0, "0"), (0.6391, "0.639"), (2.3, "2.30"),
                                          (45.67, "45.7"), (123456.7, "123,457")])
def test_numbers_have_three_digits_that_count(value, words):
    assert judge.number(value) == words


LINE = ("redis      dur=x mode=lat  size=100  jobs=953 secs=1.0 rate=953 srv_cpu=0.20 cli_cpu=0.07 "
        "rss_mb=19.0->20.5 enq_us p50=321.5 p99=2896.9 | recv_us p50=289.7 p99=2890.0 | "
        "acked_us p50=593.6 p99=4467.9")


def test_the_line_of_a_load_program_is_read():
    row = peers.parse(LINE)
    assert (row["rate"], row["rss_mb"], row["server_cpu"]) == (953, 20.5, 0.2)
    assert (row["ack_p50_us"], row["worker_p99_us"], row["settled_p50_us"]) == (321.5, 2890, 593.6)
    assert peers.parse(LINE + " INCOMPLETE") is None and peers.parse("nothing") is None


PERF = """# Overhead|Command     |Shared Object|Symbol
 30.00%  |broker      |relais       |[.] core_step
  9.00%  |broker      |libzmq.so.5  |[.] 0x000000000004f0b6
  1.00%  |broker      |libzmq.so.5  |[.] 0x000000000003cf95
  9.00%  |store       |[kernel]     |[k] finish_task_switch
  1.00%  |loader      |relais       |[.] load
"""  # of one process among others: half of all samples


def test_a_profile_names_the_busiest_threads_and_their_functions():
    assert hotspots.summarise(hotspots.perf_cells(PERF)) == [
        {"thread": "broker", "share": 80.0, "top": [["core_step", 60.0], ["(libzmq.so.5)", 20.0]]},
        {"thread": "store", "share": 18.0, "top": [["kernel:finish_task_switch", 18.0]]}]
    assert hotspots.summarise([]) == []
    (found,) = hotspots.summarise(hotspots.callgrind_cells(
        "10,000 (100.0%)  PROGRAM TOTALS\n6,000 (60.00%)  ./a.c:core_step [/b/relais]\n"
        "3,000 (30.00%)  ???:Cmp::operator()(int) [/b/relais]\n"
        "1,000 (10.00%)  ???:0x0000000000003fb4 [/usr/lib/libzmq.so.5]\n"))
    assert found["top"] == [["core_step", 60.0], ["Cmp::operator()(int)", 30.0],
                            ["(libzmq.so.5)", 10.0]]


def run_of(measures, **more):
    rows = {key: measure["rows"] for key, measure in measures.items()}
    return {"machine": {"date": "d", "cores": 2, "cpu": "c", "memory": 1, "disk": "ext4",
                        "kernel": "k", "commit": "c0"}, "rounds": 1, "seconds": 1, "full": False,
            "took_s": 60.0, "json": "results.json", "skipped": ["nats"], "hotspots": {},
            "stocks": {}, "curves": {}, "measures": measures,
            "aims": [judge.judge(aim, rows) for aim in aims.AIMS], **more}


def measure(who, *rows):
    return {"who": who, "words": "work", "command": f"of {who}", "guarantee": "kept",
            "rows": list(rows)}


def test_the_page_has_a_row_for_every_aim():
    run = run_of({"native": measure("relais", {"rate": 300, "scenario": "native"}),
                  aims.STREAM[0]: measure("Redis", {"rate": 100}),
                  "raw-fsync-4k": measure("machine", {"p50_us": 163.4, "p99_us": 300}),
                  "restart-1m": measure("relais", {"ready_ms": 400, "scenario": "restart"})},
                 hotspots={"restart-1m": {"tool": "perf", "threads": [
                     {"thread": "broker", "share": 40, "top": [["core_step", 30]]}]}})
    text = page.page(run, aims.AIMS, [("plots/a.svg", "A plot")])
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(any(row.startswith(f"| {aim.row} | {aim.work} |") for row in rows)
               for aim in aims.AIMS)
    assert "| `relais bench of relais` | 300/s<br>kept | 100/s Redis, work<br>kept | " \
           "3.00 × (3.00–3.00) | ≥ 2.30 × | yes |" in text
    assert "| 400 ms<br>kept | 163 µs work |  | ≤ 300 ms | **no**, 33 % over |" in text
    assert "1 of 2 are reached." in text and "with `--full`" in text
    assert "- broker 40 %: `core_step` 30" in text and "![A plot](plots/a.svg)" in text
    assert "left out: nats." in text


def load(factor, **more):
    return {"load": factor, "offered_rate": 9000.0 * factor, "accepted_rate": 9000.0,
            "refused_rate": 0.0, "unsent_rate": 0.0, "rss_peak_mb": 80.0, **more}


def test_under_overload_what_is_accepted_is_held_against_the_calm():
    lines = [load(1.0, ack_p99_us=70e3, ack_p50_us=50e3),
             load(0.7, ack_p99_us=20e3, ack_p50_us=1e3),
             load(3.0, ack_p99_us=80e3, ack_p50_us=30e3)]
    lines[-1].update(judge.calm(lines))
    run = run_of({"overload": {**measure("relais", lines[-1]), "lines": lines}})
    text = page.page(run, aims.AIMS, [])
    assert "| 80,000 µs<br>kept | 20,000 µs relais, work | 4.00 × (4.00–4.00) | ≤ 3.00 × | " \
           "**no**, 33 % over |" in text
    assert "| 3 × | 27,000/s | 9,000/s | 0/s | 0/s | 30.0 / 80.0 ms | – |" in text


def test_every_measure_that_an_aim_names_is_there():
    keys = [m.key for m in aims.MEASURES + aims.PEERS]
    assert len(keys) == len(set(keys))
    assert {key for aim in aims.AIMS for key in aim.ours + aim.theirs} <= set(keys)
    assert {a.row for a in aims.AIMS} == set("1 1b 2 3 4 5 6 7 8 9 10 11 12 13".split())
    assert {m.server for m in aims.PEERS} <= {*peers.COMMANDS, "rabbitmq"}


CURVE = {"title": "A & B", "axis": "bytes of a payload", "command": "native <x>",
         "points": [{"x": 65536, "rate": 9000, "rss_mb": 90.5},
                    {"x": 100, "rate": 250000, "rss_mb": 30},
                    {"x": 1024, "rate": 120000, "rss_mb": 35}]}


def test_a_plot_is_sound_and_shows_every_point_within_its_frame():
    root = xml.etree.ElementTree.fromstring(plot.draw(CURVE))
    name = "{http://www.w3.org/2000/svg}"
    words = [node.text for node in root.iter(f"{name}text")]
    assert {"A & B", "Throughput, tasks/s", "Memory, MB", "64 KB", "1 KB", "100 B", "250k",
            "bytes of a payload (logarithmic)"} <= set(words)
    dots = [node for node in root.iter(f"{name}circle")]
    assert len(dots) == 2 * len(CURVE["points"]) + 2  # and the legend's
    for dot in dots:
        assert 0 < float(dot.get("cx")) < float(root.get("width"))
        assert 0 < float(dot.get("cy")) < float(root.get("height"))
    first = next(root.iter(f"{name}polyline")).get("points").split(",")[0]
    assert float(first) < 120, "the least is on the left"


@pytest.mark.parametrize("top", [0.3, 1, 7.2, 99, 250000, 1.2e6])
def test_ticks_are_round_and_cover_what_is_shown(top):
    marks = plot.ticks(top)
    assert marks[0] == 0 and marks[-1] >= top and 3 <= len(marks) <= 7
    assert marks[-2] < top


def test_labels_keep_apart_and_the_ends_have_theirs():
    xs = [0, 10, 50, 95, 100]
    kept = plot.spaced(xs, 40)
    assert {0, 4} <= kept and all(abs(xs[a] - xs[b]) >= 40 for a in kept for b in kept if a != b)
    assert plot.places([1, 10, 100]) == pytest.approx([0, 0.5, 1])
    assert plot.places([5]) == [0.5]
    assert [plot.short(v) for v in (0, 950, 12300, 2.5e6)] == ["0", "950", "12.3k", "2.5M"]
