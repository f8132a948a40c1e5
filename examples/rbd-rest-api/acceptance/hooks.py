"""Keeps schemathesis to pools of its own, and leads it to what is there; named by SCHEMATHESIS_HOOKS.

What it makes up seldom exists, so that most requests would be answered with 404; and what exists, such as the
pool of another test, is not for it to delete.
"""

import atexit
import collections
import os
import re
import threading
import zlib

import schemathesis

# The pools to work in, and further ones that may be made and deleted.
POOLS = os.environ["SCHEMATHESIS_POOLS"].split()
SPARE = [f"{POOLS[0]}-spare{n}" for n in range(2)]
NAMES = {
    "image": ["disk1", "disk2", "disk3", "disk4"],
    "snapshot": ["snap1", "snap2"],
    "namespace": ["ns1", "ns2"],
}
LARGEST = 1 << 30

# What the service has told of.
_known = {"operations": [], "trash": []}
_lock = threading.Lock()


def pick(names, made_up):
    """One of `names`, the same for the same; every sixth stays as it was made up."""
    number = zlib.crc32(repr(made_up).encode("utf-8", "backslashreplace"))
    return made_up if number % 6 == 0 or not names else names[number // 6 % len(names)]


def is_name(value):
    return isinstance(value, str) and re.fullmatch(r"[^/@\x00-\x1f\x7f-\x9f]{1,200}", value)


def small(size):
    """A size whose images are soon removed; what is no size stays."""
    if isinstance(size, int) and not isinstance(size, bool):
        return size % LARGEST if 0 <= size < 1 << 63 else size
    if isinstance(size, str) and re.fullmatch(r"[0-9.]+[A-Za-z]*[0-9]*", size):
        return "64Mi" if size[-1:].isdigit() or size.endswith(("G", "Gi", "T", "Ti", "P", "Pi", "E", "Ei")) else size
    return size


def keep_to_ours(path, parts):
    """Changes the parts of a path."""
    with _lock:
        known = {key: list(values) for key, values in _known.items()}
    for key, value in parts.items():
        if key == "pool":
            ours = SPARE if path.endswith("/pools/{pool}") else POOLS
            # Never one that is there and not ours.
            parts[key] = pick(ours, value) if not is_name(value) else pick(ours, value + "-made-up")
        elif key == "id":
            parts[key] = pick(known["operations" if "/operations/" in path else "trash"], value)
        elif key in NAMES:
            parts[key] = pick(NAMES[key], value)


def keep_small(path, body):
    """Changes a body that is, or could be, right."""
    if "size" in body:
        body["size"] = small(body["size"])
    if path.endswith("/pools"):
        if is_name(body.get("name")):
            body["name"] = SPARE[len(body["name"]) % len(SPARE)]
        for key in ("pg_num", "copies"):
            if isinstance(body.get(key), int) and 0 < body[key] < 1 << 31:
                body[key] = 1
        return
    kind = next((kind for kind in ("snapshot", "namespace") if path.endswith(f"/{kind}s")), "image")
    for key in ("name", "image"):
        if is_name(body.get(key)):
            body[key] = pick(NAMES[kind], body[key])
    for key in ("pool", "data_pool"):
        if is_name(body.get(key)):
            body[key] = pick(POOLS, body[key] + "-made-up")
    if is_name(body.get("namespace")):
        body["namespace"] = pick(NAMES["namespace"], body["namespace"])


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    if isinstance(case.path_parameters, dict):
        keep_to_ours(path, case.path_parameters)
    if isinstance(case.query, dict) and is_name(case.query.get("namespace")):
        # Mostly none, as that is where the images are.
        case.query["namespace"] = pick(["", "", "", *NAMES["namespace"]], case.query["namespace"])
    if isinstance(case.query, dict) and is_name(case.query.get("snapshot")):
        case.query["snapshot"] = pick(NAMES["snapshot"], case.query["snapshot"])
    if isinstance(case.body, dict):
        keep_small(path, case.body)


# How often each operation was answered with each status; written to the file SCHEMATHESIS_ANSWERS.
_answers = collections.Counter()


@atexit.register
def write_answers():
    with open(os.environ["SCHEMATHESIS_ANSWERS"], "w") as file:
        for (operation, status), times in sorted(_answers.items()):
            print(operation, status, times, sep="\t", file=file)


@schemathesis.hook
def after_call(context, case, response):
    with _lock:
        _answers[case.operation.label, response.status_code] += 1
    if response.status_code not in (200, 202):
        return
    path = case.operation.path
    try:
        answer = response.json()
    except ValueError:
        return
    if not isinstance(answer, dict):
        return
    with _lock:
        if response.status_code == 202 and "id" in answer:
            _known["operations"] = [*_known["operations"][-9:], answer["id"]]
        if path.endswith("/trash"):
            _known["trash"] = [item["id"] for item in answer.get("Items", [])]
