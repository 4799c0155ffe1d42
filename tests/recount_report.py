#!/usr/bin/env python3
"""Recounts figures of a report from the raw files of the sample city, without the gateway.

Usage: recount_report.py FOLDER FIGURES.json

FOLDER holds the sample city, FIGURES.json what `report --level posyandu --format json` says of its day. Two sources of
children's visits are counted again, cell by cell: the e-PPGBM export of Puskesmas Utara and the register of Puskesmas
Tengah. Which rows a person must mend first is taken from harapan.csv, which the makers of the sample wrote beside it.
Prints what differs and ends with 1, else `figures agree`. Standard library only.
"""

import collections
import csv
import datetime
import io
import json
import pathlib
import re
import sys

DAY = datetime.date(2026, 11, 18)
# Children below five belong to SKDN.
SKDN_UNTIL_MONTHS = 60
MONTHS = {
    name: number
    for number, names in enumerate(
        ["jan januari", "feb februari", "mar maret", "apr april", "mei", "jun juni", "jul juli", "agu agt agustus",
         "sep september", "okt oktober", "nov november", "des desember"], 1)
    for name in names.split()
}
SOURCES = [
    {
        "file": "puskesmas-utara-eppgbm.csv", "encoding": "utf-8-sig", "delimiter": ";", "head": "NIK",
        "posyandu": "Posyandu", "date": "Tanggal Pengukuran", "born": "Tgl Lahir", "weight": "Berat", "height": "Tinggi",
        "letter": "Naik Berat Badan", "nik": "NIK", "name": "Nama", "prefix": "UTR",
    },
    {
        "file": "puskesmas-tengah-register.csv", "encoding": "cp1252", "delimiter": ",", "head": "NIK Anak",
        "posyandu": "Nama Posyandu", "date": "Tgl Kunjungan", "born": "Tanggal Lahir", "weight": "BB (kg)",
        "height": "PB/TB (cm)", "letter": None, "nik": "NIK Anak", "name": "Nama Anak", "prefix": "TGH",
    },
]


def fold(name):
    return " ".join(word for word in name.upper().split() if word != "POSYANDU")


def posyandu_codes(folder):
    codes = {}
    with open(folder / "posyandu.csv", encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            for name in [line["nama"], line["kode_posyandu"], *line["alias"].split(";")]:
                codes[fold(name)] = line["kode_posyandu"]
    return codes


def not_counted(folder):
    """Rows that wait for a person, were replaced or are no records, by file."""
    rows = collections.defaultdict(set)
    with open(folder / "harapan.csv", encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            if line["outcome"] in ("issue", "superseded", "skipped"):
                rows[line["file"]].add(line["row"])
    return rows


def day_of(text):
    """The day of a cell; nothing when it is none, such as 31 February."""
    try:
        return written_day(text)
    except (KeyError, ValueError):
        return None


def written_day(text):
    text = text.strip().split(" ")[0] if re.match(r"\d{4}-\d\d-\d\d[ T]", text.strip()) else text.strip()
    if match := re.fullmatch(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", text):
        return datetime.date(*map(int, match.groups()))
    if match := re.fullmatch(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", text):
        day, month, year = map(int, match.groups())
        return datetime.date(year, month, day)
    if match := re.fullmatch(r"(\d{1,2})[ -]([A-Za-z]+)[ -](\d{4})", text):
        day, month, year = match.groups()
        return datetime.date(int(year), MONTHS[month.lower()], int(day))
    return None


def number_of(text):
    """A measure as it is written, without its unit; nothing where nothing was measured."""
    match = re.fullmatch(r"(\d+(?:[.,]\d+)?)\s*(?:kg|cm)?\.?", text.strip().replace(":", "."), re.IGNORECASE)
    if not match:
        return None
    number = match.group(1).replace(",", ".")
    return number if float(number) > 0 else None


def tenths(number):
    return int((number.split(".") + ["0"])[1][0])


def months_between(born, day):
    return (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)


def rows_of(folder, source):
    text = (folder / source["file"]).read_bytes().decode(source["encoding"])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=source["delimiter"])
    titles = None
    for cells in reader:
        if titles is None:
            titles = [cell.strip() for cell in cells] if source["head"] in cells else None
            continue
        if any(cell.strip() for cell in cells):
            yield reader.line_num, dict(zip(titles, cells))


def letter_of(written):
    word = written.strip().lower()
    return {"n": "n", "naik": "n", "t": "t", "tidak naik": "t", "b": "b", "baru": "b", "o": "o"}.get(word)


def counted(folder):
    codes, skipped = posyandu_codes(folder), not_counted(folder)
    figures = collections.defaultdict(lambda: {
        "visits": set(), "weight_digits": [0] * 10, "height_digits": [0] * 10, "without_weight": 0, "without_height": 0,
        "children": {},
    })
    for source in SOURCES:
        for line, row in rows_of(folder, source):
            code = codes.get(fold(row.get(source["posyandu"]) or ""))
            day = day_of(row.get(source["date"]) or "")
            if str(line) in skipped[source["file"]] or code is None or day != DAY:
                continue
            person = (row[source["nik"]].strip(" '"), fold(row[source["name"]]))
            own = figures[code]
            own["visits"].add(person)
            weight, height = (number_of(row[source[name]] or "") for name in ("weight", "height"))
            for name, number in (("weight", weight), ("height", height)):
                if number is None:
                    own[f"without_{name}"] += 1
                else:
                    own[f"{name}_digits"][tenths(number)] += 1
            born = day_of(row[source["born"]])
            if weight is not None and born and 0 <= months_between(born, day) < SKDN_UNTIL_MONTHS:
                letter = letter_of(row[source["letter"]] or "") if source["letter"] else None
                own["children"][person] = letter
    return figures


def main():
    folder, file = map(pathlib.Path, sys.argv[1:])
    told = {line["key"]: line["figures"] for line in json.loads(file.read_text(encoding="utf-8"))["lines"]}
    differences, compared = [], 0

    def compare(code, name, ours, theirs):
        nonlocal compared
        compared += 1
        if ours != theirs:
            differences.append(f"{code} {name}: counted {ours}, told {theirs}")

    for code, own in sorted(counted(folder).items()):
        figures = told.get(code)
        if figures is None:
            differences.append(f"{code}: nothing is told of it")
            continue
        visits = sum(number for reasons in figures["visits"].values() for number in reasons.values())
        compare(code, "visits", len(own["visits"]), visits)
        for name in ("weight_digits", "height_digits", "without_weight", "without_height"):
            compare(code, name, own[name], figures[name])
        compare(code, "D", len(own["children"]), figures["skdn"]["d"])
        letters = collections.Counter(own["children"].values())
        for letter in "ntbo":
            compare(code, letter.upper(), letters[letter], figures["skdn"][letter])
        compare(code, "without letter", letters[None], figures["skdn"]["without_letter"])
    for difference in differences:
        print(difference)
    if not compared:
        print("nothing was compared")
    if differences or not compared:
        return 1
    print(f"{compared} figures agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
