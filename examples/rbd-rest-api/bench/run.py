#!/usr/bin/python3
"""Compares GET of an image with what else people do, and measures a large download and upload.

    cargo build --release -p rbd-rest-api
    cargo xtask cluster run -- /usr/bin/python3 examples/rbd-rest-api/bench/run.py

Wants wrk, python3-rbd, python3-waitress, curl of Debian.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE.parents[2] / "target/release/rbd-rest-api"
PATH = "/api/v1/pools/rbd/images/bench"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(command, port, path):
    """Starts a server, and waits until it answers."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}{path}"
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return child, url
        except OSError:
            if child.poll() is not None:
                break
            time.sleep(0.1)
    child.kill()
    sys.exit(f"{command[0]} does not answer")


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def wrk(url, seconds, connections):
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout=30s", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(text)
    percentiles = dict(re.findall(r"^ +(50|99)% +(\S+)", text, re.M))
    rate = float(re.search(r"Requests/sec: +([\d.]+)", text)[1])
    return rate, milliseconds(percentiles["50"]), milliseconds(percentiles["99"])


def rbd_info(seconds, workers):
    """The command, by so many at once."""
    end, taken = time.monotonic() + seconds, []

    def work():
        while time.monotonic() < end:
            began = time.monotonic()
            command = ["rbd", "info", "--format", "json", "rbd/bench"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            taken.append(1000 * (time.monotonic() - began))

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.sort()
    rate = len(taken) / (time.monotonic() - began)
    return rate, statistics.median(taken), taken[min(len(taken) - 1, len(taken) * 99 // 100)]


def cpu_seconds(child):
    """What a server has used of the processors; without one, what commands have that have ended."""
    if child is None:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime
    fields = pathlib.Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(args, service, python):
    clients = {
        "rbd-rest-api": (service[0], lambda: wrk(service[1], args.seconds, args.connections)),
        "python3-rbd, waitress": (python[0], lambda: wrk(python[1], args.seconds, args.connections)),
        f"rbd info, {args.workers} at once": (None, lambda: rbd_info(args.seconds, args.workers)),
    }
    results = {name: [] for name in clients}
    for _ in range(args.rounds):
        for name, (child, measure) in clients.items():
            cpu = cpu_seconds(child)
            rate, *latencies = measure()
            cpu = 1000 * (cpu_seconds(child) - cpu) / (rate * args.seconds)
            results[name].append((rate, *latencies, cpu))
    print(f"{args.rounds} rounds of {args.seconds} s, {args.connections} connections;", end=" ")
    print("median (least to most)")
    print(f"{'':24}{'requests/s':>24}{'p50 ms':>24}{'p99 ms':>24}{'CPU ms a request':>24}")
    for name, rounds in results.items():
        cells = []
        for column in zip(*rounds):
            median, least, most = statistics.median(column), min(column), max(column)
            cells.append(f"{median:.1f} ({least:.1f} to {most:.1f})")
        print(f"{name:24}" + "".join(f"{cell:>24}" for cell in cells))


def high_water(child):
    text = pathlib.Path(f"/proc/{child.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024


def transfer(args, child, service):
    """A large upload and download, whose checksum and memory are looked at."""
    size = args.transfer << 30
    subprocess.run(["rbd", "create", "--size", f"{args.transfer}G", "rbd/large"], check=True)
    url = service.replace("/bench", "/large/data")
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(size)
        for place in range(0, size, size // 32):
            os.pwrite(file.fileno(), os.urandom(2 << 20), place + 12345)
        want = subprocess.run(["sha256sum", file.name], capture_output=True, text=True).stdout
        before, began = high_water(child), time.monotonic()
        subprocess.run(["curl", "-sf", "-T", file.name, url], check=True)
        uploaded = time.monotonic()
        got = subprocess.run(f"curl -sf '{url}' | sha256sum", shell=True, capture_output=True, text=True)
        checked = time.monotonic()
        subprocess.run(["curl", "-sf", "-o", "/dev/null", url], check=True)
        downloaded = time.monotonic()
    if want.split()[0] != got.stdout.split()[0]:
        sys.exit("the checksums differ")
    print(f"{args.transfer} GiB, 64 MiB of it data: up in {uploaded - began:.1f} s,", end=" ")
    print(f"down in {downloaded - checked:.1f} s, through sha256sum in {checked - uploaded:.1f} s, as it must be;", end=" ")
    print(f"the service's memory: {before:.0f} MiB before, at most {high_water(child):.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=8, help="that run the command at once")
    parser.add_argument("--transfer", type=int, default=4, metavar="GIB", help="0: none")
    args = parser.parse_args()
    subprocess.run(["rbd", "create", "--size", "10G", "rbd/bench"], check=True)
    ports = free_port(), free_port()
    quiet = {"RUST_LOG": "warn", "RBD_REST_API_INSECURE_NO_AUTH": "true"}
    os.environ.update(quiet)
    children = []
    try:
        listen = ["--listen", f"127.0.0.1:{ports[0]}", "--ceph-conf", os.environ["CEPH_CONF"]]
        service = start([str(PROGRAM), *listen], ports[0], PATH)
        children.append(service[0])
        python = start(["/usr/bin/python3", str(HERE / "server.py"), str(ports[1])], ports[1], PATH)
        children.append(python[0])
        answers = [json.load(urllib.request.urlopen(url)) for _, url in (service, python)]
        if answers[0]["id"] != answers[1]["id"]:
            sys.exit("the servers answer differently")
        loads = [os.getloadavg()[0]]
        if args.rounds:
            compare(args, service, python)
        if args.transfer:
            transfer(args, *service)
        loads.append(os.getloadavg()[0])
        print("load average: {:.1f} before, {:.1f} after".format(*loads))
    finally:
        for child in children:
            child.kill()


main()
