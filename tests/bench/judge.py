"""judge - medians, ratios and verdicts over what was measured. Pure: figures in, figures out."""
import math
import statistics


def median(rows):
    """Numbers by their median over the rounds; the rest from the first."""
    return {key: statistics.median(row[key] for row in rows if key in row)
            if isinstance(value, (int, float)) and not isinstance(value, bool) else value
            for key, value in rows[0].items()}


def field_of(rows, field):
    """The field in each round that has it."""
    return [row[field] for row in rows or [] if isinstance(row.get(field), (int, float))]


def best(found, keys, field):
    """Which of these measures has the best median of a field: rates high, all else low."""
    known = {key: statistics.median(values) for key in keys
             if (values := field_of(found.get(key), field))}
    if not known:
        return None
    return (max if field in ("rate", "mb_s") else min)(known, key=known.get)


def ratios(ours, theirs):
    """Round by round where both were measured in each; else by their medians."""
    if len(ours) == len(theirs):
        pairs = list(zip(ours, theirs))
    else:
        pairs = [(statistics.median(ours), statistics.median(theirs))]
    return [a / b for a, b in pairs if b]


def judge(aim, found):
    """What came of an aim: `figure` is what is held against aim.reach. None: not measured."""
    ours = best(found, aim.ours, aim.field)
    theirs = best(found, aim.theirs, aim.their_field) if aim.theirs else None
    said = {"row": aim.row, "work": aim.work, "ours": ours, "theirs": theirs,
            "reach": aim.reach, "unit": aim.unit, "most": aim.most, "figure": None,
            "reached": None, "missing": None}
    if ours is None:
        return said
    mine = field_of(found[ours], aim.field)
    said["our_figure"] = statistics.median(mine)
    figures = mine
    if aim.theirs:
        if theirs is None:
            return said
        others = field_of(found[theirs], aim.their_field)
        said["their_figure"] = statistics.median(others)
        figures = ratios(mine, others)
    if not figures:
        return said
    figure = statistics.median(figures)
    said.update(figure=figure, low=min(figures), high=max(figures),
                reached=figure <= aim.reach if aim.most else figure >= aim.reach)
    if not said["reached"]:
        said["missing"] = figure / aim.reach - 1 if aim.most else 1 - figure / aim.reach
    return said


def calm(lines):
    """Of the runs of one overload: the times at less than what it can take."""
    return {f"calm_{key}": value for line in lines if line["load"] < 1
            for key, value in line.items() if key.endswith("_us")}


def choose(found, keys, field="rate", count=2):
    """The `count` best of a group."""
    left, chosen = list(keys), []
    while len(chosen) < count and (key := best(found, left, field)):
        chosen.append(key)
        left.remove(key)
    return chosen


def number(value):
    """Three digits that count; whole numbers from 100 on, with commas."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def verdict(said):
    if said["reached"] is None:
        return "not measured"
    if said["reached"]:
        return "yes"
    way = "over" if said["most"] else "short"
    return f"**no**, {max(1, round(said['missing'] * 100))} % {way}"
