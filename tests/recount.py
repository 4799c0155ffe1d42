"""Counts a month again from the raw files: what the puskesmas handed in, and what the server holds.

It shares nothing with the gateway, so that a mistake in one does not hide in the other. Standard library only.

Usage: recount.py FOLDER     with posyandu.csv, puskesmas-*.csv, people.json and dump.ndjson; writes one JSON object
"""

import collections
import csv
import datetime
import json
import pathlib
import sys

WEIGHT = "29463-7"
MONTH = (2026, 11)
# Posyandu open by day, so the date is the same in all three zones of Indonesia.
ZONE = datetime.timezone(datetime.timedelta(hours=7))


def rows(path, encoding):
    with open(path, newline="", encoding=encoding) as file:
        yield from csv.DictReader(file)


class Figures:
    """What one line of the figures must tell, by the place of each number in the gateway's JSON."""

    def __init__(self):
        self.rows, self.days, self.children = 0, set(), set()
        self.weights, self.heights = collections.Counter(), collections.Counter()

    def see(self, posyandu, day, row):
        self.rows += 1
        self.days.add((posyandu, day))
        born = datetime.datetime.strptime(row["Tanggal Lahir"], "%d-%m-%Y").date()
        months = (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)
        if months < 60:
            self.children.add((posyandu, row["NIK Anak"]))
        self.weights[row["BB (kg)"].split(".")[1][0]] += 1
        self.heights[row["PB/TB (cm)"].split(".")[1][0]] += 1

    def told(self):
        numbers = {"/days_held": len(self.days), "/child_visits": self.rows, "/nik/asli": self.rows}
        numbers |= {"/without_weight": 0, "/persons/bayi_balita_apras": self.rows, "/at_several": 0}
        numbers |= {"/skdn/d": len(self.children), "/skdn/without_letter": len(self.children)}
        numbers |= {f"/weight_digits/{digit}": self.weights[str(digit)] for digit in range(10)}
        numbers |= {f"/height_digits/{digit}": self.heights[str(digit)] for digit in range(10)}
        return numbers


def main(folder):
    places = {row["nama"]: row for row in rows(folder / "posyandu.csv", "utf-8")}
    people = json.loads((folder / "people.json").read_text(encoding="utf-8"))["patients"]
    ihs = {person["nik"]: person["ihs"] for person in people}
    number = 0
    figures = {level: collections.defaultdict(Figures) for level in ("posyandu", "puskesmas", "kota")}
    wanted = {}
    by_puskesmas, by_posyandu = collections.Counter(), collections.Counter()
    for path in sorted(folder.glob("puskesmas-*.csv")):
        for row in rows(path, "cp1252"):
            number += 1
            place = places[row["Nama Posyandu"]]
            by_puskesmas[place["puskesmas"]] += 1
            by_posyandu[place["kode_posyandu"]] += 1
            day = datetime.datetime.strptime(row["Tgl Kunjungan"], "%d-%m-%Y").date()
            # A person whom the server does not know has no visit there.
            visit = (ihs.get(row["NIK Anak"], row["NIK Anak"]), day, place["id_organisasi_satusehat"])
            wanted[visit] = float(row["BB (kg)"])
            for level, key in (("posyandu", place["kode_posyandu"]), ("puskesmas", place["puskesmas"]), ("kota", "-")):
                figures[level][key].see(place["kode_posyandu"], day, row)

    held = [json.loads(line) for line in open(folder / "dump.ndjson", encoding="utf-8")]
    found = collections.defaultdict(list)
    for one in held:
        if one["resourceType"] != "Encounter" or one["status"] == "entered-in-error":
            continue
        day = datetime.datetime.fromisoformat(one["period"]["start"]).astimezone(ZONE).date()
        provider = one["serviceProvider"]["reference"].split("/")[1]
        if (day.year, day.month) == MONTH and provider in {place["id_organisasi_satusehat"] for place in places.values()}:
            found[one["subject"]["reference"].split("/")[1], day, provider].append(one["id"])
    about = {one["id"]: one["subject"]["reference"] for one in held if one["resourceType"] == "Encounter"}
    weights = collections.defaultdict(list)
    wrong = 0
    for one in held:
        if one["resourceType"] != "Observation" or one["code"]["coding"][0]["code"] != WEIGHT:
            continue
        encounter = one["encounter"]["reference"].split("/")[1]
        weights[encounter].append(one["valueQuantity"]["value"])
        wrong += encounter in about and about[encounter] != one["subject"]["reference"]

    missing = sum(1 for visit in wanted if not found.get(visit))
    unknown = sum(len(ids) for ids in found.values()) - sum(1 for visit in wanted if found.get(visit))
    weights_missing = weights_differing = 0
    for visit, weight in wanted.items():
        if not found.get(visit):
            continue
        told = [value for encounter in found[visit] for value in weights[encounter]]
        weights_missing += not told
        weights_differing += bool(told) and all(abs(value - weight) > 0.001 for value in told)
    json.dump(
        {
            "rows": number,
            "visits": len(wanted),
            "by_puskesmas": by_puskesmas,
            "by_posyandu": by_posyandu,
            "figures": {level: {key: one.told() for key, one in all.items()} for level, all in figures.items()},
            "encounters_missing": missing,
            "encounters_unknown": unknown,
            "weights_missing": weights_missing,
            "weights_differing": weights_differing,
            "wrong_person": wrong,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
