"""What the acceptance tests share: the service on a cluster, and Ceph's own commands beside it.

RBD_REST_API is the path of the program, CEPH_CONF the configuration file of a cluster that may be filled.
"""

import collections
import hashlib
import itertools
import json
import os
import re
import secrets
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

Answer = collections.namedtuple("Answer", "status headers json")


def wait_until(what, condition, within=30):
    """What `condition` answers as soon as that is something."""
    end = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            pytest.fail(f"not within {within} s: {what}")
        time.sleep(0.05)


class Service:
    """A running service that asks for tokens; `token` is an admin's."""

    def __init__(self, directory, *args):
        self.token = secrets.token_hex(32)
        hashed = hashlib.sha256(self.token.encode()).hexdigest()
        tokens = directory / "tokens"
        tokens.write_text(f"acceptance admin {hashed}\n")
        command = [os.environ["RBD_REST_API"], "--listen", "127.0.0.1:0", "--tokens", tokens]
        command += ["--ceph-conf", os.environ["CEPH_CONF"], "--allow-pool-delete", *args]
        env = {k: v for k, v in os.environ.items() if not k.startswith("RBD_REST_API")}
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        self.log = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.url = wait_until("the service listens", self._listens)

    def _read_log(self):
        for line in self.process.stdout:
            self.log.append(line.rstrip("\n"))

    def _listens(self):
        assert self.process.poll() is None, "\n".join(["the service has ended", *self.log])
        found = re.search(r"listening on (https?://[0-9.:]+)", "\n".join(self.log))
        return found and found[1]

    def request(self, method, path, body=None, headers=()):
        """The answer to a request with the token."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in dict(headers).items():
            request.add_header(name, value)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            parsed = json.loads(text) if text and is_json else None
            return Answer(answer.status, answer.headers, parsed)

    def end(self):
        """Ends it as Kubernetes does; its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()


@pytest.fixture(scope="session")
def start_service(tmp_path_factory):
    """Starts a service with further arguments."""
    started = []

    def start(*args):
        started.append(Service(tmp_path_factory.mktemp("service"), *args))
        return started[-1]

    yield start
    ended = [service for service in started if service.process.poll() is not None]
    for service in started:
        service.end()
    for service in ended:
        pytest.fail("\n".join([f"a service ended by itself: {service.process.returncode}", *service.log[-50:]]))


@pytest.fixture(scope="session")
def service(start_service):
    """The service, with `.url` and an admin's `.token`."""
    return start_service()


def _runner(program):
    def run(*args, input=None):
        done = subprocess.run([program, *map(str, args)], input=input, capture_output=True, text=True)
        assert done.returncode == 0, f"{program} {args}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def ceph():
    """Runs `ceph` with the arguments; what it prints."""
    return _runner("ceph")


@pytest.fixture(scope="session")
def rbd():
    """Runs `rbd` with the arguments; what it prints."""
    return _runner("rbd")


_number = itertools.count()


@pytest.fixture
def pool(ceph):
    """The name of a pool for images that only this test has."""
    name = f"acceptance-{os.getpid()}-{next(_number)}"
    ceph("osd", "pool", "create", name, 8)
    ceph("osd", "pool", "application", "enable", name, "rbd")
    yield name
    ceph("osd", "pool", "rm", name, name, "--yes-i-really-really-mean-it")
