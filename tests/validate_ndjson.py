"""Proves that a dump of the simulator is FHIR, with models that nobody of this project wrote.

The gateway and the simulator share one author's reading of FHIR, so both could be wrong in the same way. This script
holds every line of an NDJSON file against the `fhir.resources` models (R4B; the clinical types used here are the same
in R4), and against what those models are lenient about: elements that do not exist, JSON of the wrong kind, the
official regular expressions of R4 primitives, codes with a required binding, empty values, ids that occur twice, and
references that lead nowhere. It must not know a rule of SATUSEHAT; those are the simulator's own matter.

Usage: python3 tests/validate_ndjson.py FILE        exit status: 0 all valid, 1 failures, 2 wrong use
"""

import importlib
import json
import re
import sys
from collections import Counter
from decimal import Decimal

# Written by others and known to the platform beforehand, so a dump does not hold them.
KNOWN_ELSEWHERE = {"Patient", "Practitioner", "Organization", "Location"}

YEAR = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
DAY = r"(0[1-9]|1[0-2])-(0[1-9]|[1-2][0-9]|3[0-1])"
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
OFFSET = r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
# The regular expressions of hl7.org/fhir/R4/datatypes.html, by the name of the primitive.
PRIMITIVES = {
    "Date": rf"{YEAR}(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1]))?)?",
    "DateTime": rf"{YEAR}(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1])(T{TIME}{OFFSET})?)?)?",
    "Instant": rf"{YEAR}-{DAY}T{TIME}{OFFSET}",
    "Time": TIME,
    "Id": r"[A-Za-z0-9\-\.]{1,64}",
    "Code": r"[^\s]+(\s[^\s]+)*",
    "String": r"[ \r\n\t\S]+",
    "Markdown": r"[ \r\n\t\S]+",
    "Uri": r"\S*",
    "Url": r"\S*",
    "Canonical": r"\S*",
    "Oid": r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+",
    "Uuid": r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "Base64Binary": r"(\s*([0-9a-zA-Z\+\/=]){4}\s*)+",
}
INTEGERS = {"Integer": None, "UnsignedInt": 0, "PositiveInt": 1}


def model_of(resource_type):
    """The model of a type, or None when there is none."""
    try:
        module = importlib.import_module(f"fhir.resources.R4B.{resource_type.lower()}")
    except ImportError:
        return None
    return getattr(module, resource_type, None)


def type_class(fhir_type):
    """The model behind a complex type of the library, or None for a primitive."""
    name = getattr(fhir_type, "__resource_type__", None)
    if not name:
        return None
    from fhir.resources.R4B.fhirtypesvalidators import get_fhir_model_class

    return get_fhir_model_class(name)


class Walk:
    """One walk through one resource; collects (path, what is wrong)."""

    def __init__(self):
        self.failures = []
        self.references = []

    def fail(self, path, text):
        self.failures.append((path, text))

    def members(self, model, value, path):
        if not isinstance(value, dict):
            return self.fail(path, "must be an object")
        if not value:
            self.fail(path, "must not be an empty object")
        fields = {field.alias: field for field in model.__fields__.values()}
        for name, inner in value.items():
            here = f"{path}.{name}"
            field = fields.get(name)
            if name == "resourceType":
                continue
            if field is None:
                self.fail(here, "unknown element")
            elif not name.startswith("_"):
                self.element(field, inner, here)
        reference = value.get("reference")
        if model.__name__ == "Reference" and isinstance(reference, str):
            self.references.append((path, reference))

    def element(self, field, value, path):
        is_list = "List" in str(field.outer_type_)
        if is_list != isinstance(value, list):
            return self.fail(path, "must be a list" if is_list else "must not be a list")
        if is_list and not value:
            return self.fail(path, "must not be an empty list")
        for position, item in enumerate(value if is_list else [value]):
            self.single(field, item, f"{path}[{position}]" if is_list else path)

    def single(self, field, value, path):
        if value is None:
            return self.fail(path, "must not be null")
        kind = field.type_.__name__
        if kind == "ResourceType":
            model = model_of(value.get("resourceType", "")) if isinstance(value, dict) else None
            return self.members(model, value, path) if model else self.fail(path, "must be a resource")
        model = type_class(field.type_)
        if model is not None:
            return self.members(model, value, path)
        self.primitive(field, kind, value, path)

    def primitive(self, field, kind, value, path):
        if kind == "Boolean" or field.type_ is bool:
            if not isinstance(value, bool):
                self.fail(path, "must be true or false")
        elif kind == "Decimal":
            # A JSON number always has the form of an R4 decimal, so its kind is all there is to check.
            if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
                self.fail(path, "must be a number")
        elif kind in INTEGERS:
            least = INTEGERS[kind]
            if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
                self.fail(path, f"must be a whole number{'' if least is None else f' of at least {least}'}")
        elif not isinstance(value, str):
            self.fail(path, "must be text")
        elif not re.fullmatch(PRIMITIVES.get(kind, r"[\s\S]+"), value) or value != value.strip():
            self.fail(path, f"does not have the form of {kind}")
        elif kind == "Code":
            codes = field.field_info.extra.get("enum_values") or []
            # Lists that end in "+" are abridged by the library.
            if codes and "+" not in codes and value not in codes:
                self.fail(path, f"must be one of {', '.join(codes)}")


def failures_of(resource):
    """What is wrong with one resource, and the references it makes."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    model = model_of(kind) if isinstance(kind, str) else None
    if model is None:
        return [("resourceType", "is no resource of R4")], []
    walk = Walk()
    walk.members(model, resource, kind)
    try:
        model.parse_obj(resource)
    except ValueError as error:
        found = error.errors() if hasattr(error, "errors") else [{"loc": (), "msg": type(error).__name__}]
        for one in found:
            walk.fail(".".join([kind, *(str(part) for part in one["loc"])]), one["msg"])
    contained = {f"#{inner.get('id')}" for inner in resource.get("contained", []) if isinstance(inner, dict)}
    references = [(path, target) for path, target in walk.references if target not in contained]
    if not resource.get("id"):
        walk.fail(f"{kind}.id", "a stored resource has an id")
    return walk.failures, references


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    counts, failures, seen, references = Counter(), [], {}, []
    with open(sys.argv[1], encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                resource = json.loads(line, parse_float=Decimal)
            except ValueError as error:
                failures.append((number, "", f"no JSON: {error}"))
                continue
            found, targets = failures_of(resource)
            failures += [(number, path, text) for path, text in found]
            references += [(number, path, target) for path, target in targets]
            if not isinstance(resource, dict):
                continue
            name = f"{resource.get('resourceType')}/{resource.get('id')}"
            counts[resource.get("resourceType")] += 1
            if seen.setdefault(name, number) != number:
                failures.append((number, "id", f"{name} stands in line {seen[name]} already"))
    for number, path, target in references:
        kind, _, identifier = target.partition("/")
        known = kind in KNOWN_ELSEWHERE and re.fullmatch(PRIMITIVES["Id"], identifier)
        if target not in seen and not known:
            failures.append((number, path, f"leads nowhere: {target}"))
    for number, path, text in sorted(failures):
        print(f"line {number}: {path}: {text}")
    for kind, count in sorted(counts.items(), key=str):
        print(f"{count:8} {kind}")
    print(f"{sum(counts.values())} resources, {len(references)} references, {len(failures)} failures")
    # A file without resources proves nothing, so it is no success.
    return 1 if failures or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
