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


def main(folder):
    places = {row["nama"]: row for row in rows(folder / "posyandu.csv", "utf-8")}
    people = json.loads((folder / "people.json").read_text(encoding="utf-8"))["patients"]
    ihs = {person["nik"]: person["ihs"] for person in people}
    number = 0
    wanted = {}
    by_puskesmas, by_posyandu = collections.Counter(), collections.Counter()
    for path in sorted(folder.glob("puskesmas-*.csv")):
        for row in rows(path, "cp1252"):
            number += 1
            place = places[row["Nama Posyandu"]]
            by_puskesmas[place["puskesmas"]] += 1
            by_posyandu[place["kode_posyandu"]] += 1
            day = datetime.datetime.strptime(row["Tgl Kunjungan"], "%d-%m-%Y").date()
            visit = (ihs[row["NIK Anak"]], day, place["id_organisasi_satusehat"])
            wanted[visit] = float(row["BB (kg)"])

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
