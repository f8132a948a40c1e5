"""Keeps schemathesis to pools of its own, and leads it to what is there; named by SCHEMATHESIS_HOOKS.

What it makes up seldom exists, so that most requests would be answered with 404; and what exists, such as the
pool of another test, is not for it to delete.
"""

import atexit
import collections
import json
import os
import re
import urllib.error
import urllib.request
import zlib

import schemathesis

# The pools to work in, and further ones that may be made and deleted.
POOLS = os.environ["SCHEMATHESIS_POOLS"].split()
SPARE = [f"{POOLS[0]}-spare{n}" for n in range(2)]
IMAGES = ["disk1", "disk2", "disk3", "disk4"]
SNAPSHOTS = ["snap1", "snap2"]
NAMESPACES = ["ns1", "ns2"]
NAMES = {"image": IMAGES, "snapshot": SNAPSHOTS, "namespace": NAMESPACES}
LARGEST = 64 << 20
FEATURES = ["layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten"]

# What the service has told of.
_operations = collections.deque(maxlen=20)
_trash = []
# How often each operation was answered with each status; written to the file SCHEMATHESIS_ANSWERS.
_answers = collections.Counter()


@atexit.register
def write_answers():
    with open(os.environ["SCHEMATHESIS_ANSWERS"], "w") as file:
        for (operation, status), times in sorted(_answers.items()):
            print(operation, status, times, sep="\t", file=file)


def number(made_up):
    """The same for the same."""
    return zlib.crc32(repr(made_up).encode("utf-8", "backslashreplace"))


def pick(names, made_up):
    """One of `names`; every eighth stays as it was made up."""
    n = number(made_up)
    return made_up if n % 8 == 0 or not names else names[n // 8 % len(names)]


def is_name(value):
    return isinstance(value, str) and re.fullmatch(r"[^/@\x00-\x1f\x7f-\x9f]{1,200}", value)


def small(size):
    """A size whose images are soon removed; what is no size stays."""
    if isinstance(size, int) and not isinstance(size, bool):
        return size % LARGEST if 0 <= size < 1 << 63 else size
    if isinstance(size, str) and re.fullmatch(r"[0-9.]+([kMGTPE]i?|Ki|[eE][0-9]+)?", size):
        return "16Mi"
    return size


def keep_to_ours(path, parts):
    """Changes the parts of a path."""
    for key, value in parts.items():
        if key == "pool":
            ours = SPARE if path.endswith("/pools/{pool}") else POOLS
            # Never one that is there and not ours.
            parts[key] = pick(ours, value + "-made-up" if is_name(value) else value)
        elif key == "id":
            parts[key] = pick(list(_operations) if "/operations/" in path else _trash, value)
        elif key in NAMES:
            parts[key] = pick(NAMES[key], value)


def keep_small(path, body):
    """Changes a body that is, or could be, right."""
    if "size" in body:
        body["size"] = small(body["size"])
    if path.endswith("/pools"):
        if is_name(body.get("name")):
            body["name"] = SPARE[number(body["name"]) % len(SPARE)]
        for key in ("pg_num", "copies"):
            if isinstance(body.get(key), int) and 0 < body[key] < 1 << 31:
                body[key] = 1
        return
    names = next((names for kind, names in NAMES.items() if path.endswith(f"/{kind}s")), IMAGES)
    if is_name(body.get("name")):
        further = f"new{number(body['name']) % 1000}"
        body["name"] = pick([*names, further, further, further], body["name"])
    for key in ("pool", "data_pool"):
        if is_name(body.get(key)):
            body[key] = pick(POOLS, body[key] + "-made-up")
    if is_name(body.get("namespace")):
        body["namespace"] = pick(NAMESPACES, body["namespace"])
    if path.endswith(("/images", "/clones")):
        if isinstance(body.get("features"), list) and all(isinstance(name, str) for name in body["features"]):
            body["features"] = [pick(FEATURES, name) for name in body["features"]]
        # Few combinations of these go together.
        if number(body) % 2:
            for key in ("data_pool", "features", "object_size", "order", "stripe_count", "stripe_unit"):
                body.pop(key, None)


@schemathesis.serializer("application/vnd.ceph.rbd-diff")
def as_it_is(context, value):
    # Every other is a difference, which has the size and nothing else.
    if number(value) % 2:
        return b"rbd diff v1\ns" + LARGEST.to_bytes(8, "little") + b"e"
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    if isinstance(case.path_parameters, dict):
        made_up = number(case.path_parameters)
        keep_to_ours(path, case.path_parameters)
        if path.endswith("/flatten") and made_up % 4 == 0:
            make_clone(case)
            case.path_parameters.update(pool=POOLS[0], image="clone")
            case.query = {}
    if isinstance(case.query, dict):
        # Mostly in none, as that is where the images are.
        if is_name(case.query.get("namespace")):
            case.query["namespace"] = pick(["", "", "", *NAMESPACES], case.query["namespace"])
        for key in ("snapshot", "from_snapshot"):
            if is_name(case.query.get(key)):
                case.query[key] = pick(SNAPSHOTS, case.query[key])
    if isinstance(case.body, dict):
        keep_small(path, case.body)


@schemathesis.hook
def after_call(context, case, response):
    status, operation = response.status_code, case.operation
    _answers[operation.label, status] += 1
    if status == 202:
        _operations.append(response.json()["id"])
    if status in (404, 422) and number(case.path_parameters) % 2:
        mend(case, operation.path)


def ask(case, method, at, body=None):
    """Asks for something in the first pool."""
    base = case.operation.base_url.rstrip("/")
    request = urllib.request.Request(f"{base}/api/v1/pools/{POOLS[0]}{at}", method=method)
    request.add_header("Authorization", os.environ["SCHEMATHESIS_AUTHORIZATION"])
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        assert error.code in (404, 409, 422), f"{method} {at}: {error.code} {error.read()}"
        return None


def make_image(case, name):
    ask(case, "POST", "/images", {"name": name, "size": LARGEST})
    for snapshot in SNAPSHOTS:
        ask(case, "POST", f"/images/{name}/snapshots", {"name": snapshot})


def make_clone(case):
    make_image(case, "parent")
    ask(case, "DELETE", "/images/clone?trash=true")
    ask(case, "POST", f"/images/parent/snapshots/{SNAPSHOTS[0]}/clones", {"name": "clone"})


def mend(case, path):
    """Makes anew what earlier requests have removed, or others will look for."""
    parts = case.path_parameters or {}
    if "/namespaces/" in path:
        ask(case, "POST", "/namespaces", {"name": parts["namespace"]} if parts["namespace"] in NAMESPACES else {})
    elif "/trash/" in path:
        ask(case, "POST", "/images", {"name": "wasted", "size": LARGEST})
        # What is to come back is not to be purged meanwhile.
        delay = 3600 if path.endswith("/restore") else 0
        ask(case, "DELETE", f"/images/wasted?trash=true&delay_seconds={delay}")
        items = ask(case, "GET", "/trash")["Items"]
        _trash[:] = [item["id"] for item in items if item["name"] == "wasted"]
    elif parts.get("image") in IMAGES:
        make_image(case, parts["image"])
