"""The checker of histories is itself checked: a clean history passes, each planted defect is
found, and nothing else is."""
import pytest

from history import KINDS, check, report

CLEAN = {
    "p": ["1 invoke submit a", "2 ok submit a 11", "3 invoke submit b", "4 fail submit b BUSY",
          "5 invoke submit b", "6 ok submit b 12", "7 invoke submit c"],
    "w1": ["10 run 11 101 1 0", "11 invoke checkpoint 11 101", "12 ok checkpoint 11 101 0 1",
           "13 run 12 102 1 0", "14 invoke done 12 102", "15 ok done 12 102 0",
           "40 invoke done 11 101", "41 ok done 11 101 8"],
    "w2": ["20 run 11 103 2 1", "21 invoke checkpoint 11 103", "22 ok checkpoint 11 103 0 2",
           "23 invoke done 11 103", "24 invoke done 11 103", "25 ok done 11 103 0",
           "26 invoke done 12"],
}
FINAL = {11: (6, "a", "w2 103", 2), 12: (6, "b", "w1 102", 0)}


def found_in(histories, final):
    lines = [(process, [line + "\n" for line in each]) for process, each in histories.items()]
    lines[-1][1][-1] = lines[-1][1][-1].rstrip("\n")  # as kill -9 leaves it
    return check(lines, final)


def defects(change=None, final=None):
    histories = {process: list(lines) for process, lines in CLEAN.items()}
    if change:
        change(histories)
    found, _ = found_in(histories, {**FINAL, **(final or {})} if final != {} else {})
    return {kind: len(found[kind]) for kind in KINDS if found[kind]}


def adds(process, *lines):
    return lambda histories: histories[process].__setitem__(slice(0, 0), lines)


def test_a_clean_history_passes():
    assert defects() == {}
    assert "lost=0 unexpected=0 double=0 fence=0 regress=0" in report(*found_in(CLEAN, FINAL))


def test_a_submit_without_an_answer_may_be_there_or_not():
    assert defects(final={13: (6, "c", "w1 110", 0)}) == {}


def test_an_epoch_that_nothing_was_recorded_under_may_be_overtaken():
    assert defects(adds("w1", "22 run 11 109 1 2")) == {}


@pytest.mark.parametrize("kind, change, final", [
    ("lost", adds("p", "8 invoke submit d", "9 ok submit d 14"), None),
    ("unexpected", None, {15: (6, "nobody", "w1 120", 0)}),
    ("unexpected", None, {16: (6, "a", "w1 121", 0)}),
    ("unexpected", adds("p", "8 ok submit a 12"), {12: (6, "a", "w1 102", 0)}),
    ("double", adds("w2", "16 invoke done 12 99", "17 ok done 12 99 0"), None),
    ("double", None, {12: (6, "b", "w2 104", 0)}),
    ("fence", adds("w2", "19 run 12 102 1 0"), None),
    ("fence", adds("w1", "30 invoke release 11 101", "31 ok release 11 101 0"), None),
    ("regress", adds("w2", "16 ok checkpoint 11 101 0 1"), None),
    ("regress", adds("w2", "19 run 11 108 2 0"), None),
    ("regress", None, {11: (6, "a", "w2 103", 1)}),
    ("unended", None, {13: (2, "c", None, 0)}),
    ("unended", None, {13: (7, "c", None, 0)}),
])
def test_a_planted_defect_is_found(kind, change, final):
    assert kind in defects(change, final)


def test_an_acknowledged_outcome_that_is_gone_is_lost():
    assert defects(final={11: (2, "a", None, 2)}) == {"lost": 1, "unended": 1}


def test_nothing_at_the_end_is_everything_lost():
    assert defects(final={}) == {"lost": 4}
