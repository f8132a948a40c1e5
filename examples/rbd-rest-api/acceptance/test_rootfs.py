"""The image's root file system, made without a container engine, and the service in it as its user.

DEBIAN_MIRROR is where Debian's packages come from, ROOTFS_CACHE where the file systems are kept.
"""

import collections
import contextlib
import hashlib
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import threading

import pytest
from conftest import Service, wait_until

DOCKERFILE = pathlib.Path(__file__).parents[1] / "deploy/Dockerfile"
Image = collections.namedtuple("Image", "suite packages program user group")

# A container, as far as the service can tell: a root that cannot be written, Ceph's folder read-only, no
# capabilities, process 1. Mounts and processes end with it.
CONTAINER = """
root=$1 etc_ceph=$2 own=$3 program=$4 user=$5 group=$6 at=$7
shift 7
mount --bind "$root" "$root"
mount --bind "$program" "$root$at"
mount -o bind,ro "$etc_ceph" "$root/etc/ceph"
mount -o bind,ro "$own" "$root/etc/rbd-rest-api"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs \
    --inh-caps=-all --bounding-set=-all env --ignore-environment PATH=/usr/local/bin:/usr/bin:/bin "$at" "$@"
"""


@pytest.fixture(scope="module")
def image():
    """What the Dockerfile's last stage says."""
    text = DOCKERFILE.read_text()
    stage = text[text.rindex("\nFROM ") :]
    packages = re.search(r"apt-get install --yes --no-install-recommends ([a-z0-9 -]+?) *\\", stage)[1].split()
    program = re.search(r"^COPY --from=build \S+ (\S+)$", stage, re.M)[1]
    assert re.search(r'^ENTRYPOINT \["(.+)"\]$', stage, re.M)[1] == program
    suite = re.search(r"^FROM debian:(\w+)-slim$", stage, re.M)[1]
    user, group = re.search(r"^USER (\d+):(\d+)$", stage, re.M).groups()
    return Image(suite, packages, program, int(user), int(group))


@pytest.fixture(scope="module")
def root(image):
    """The file system, from the cache or made by debootstrap."""
    named = hashlib.sha256(" ".join(image.packages).encode()).hexdigest()[:12]
    root = pathlib.Path(os.environ["ROOTFS_CACHE"]) / f"{image.suite}-{named}"
    if not root.is_dir():
        new = root.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        include = "--include=" + ",".join(image.packages)
        debootstrap = ["debootstrap", "--variant=minbase", include, image.suite, new]
        mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
        subprocess.run([*debootstrap, mirror], check=True, stdout=subprocess.DEVNULL, timeout=900)
        for archive in (new / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        for directory in ("etc/ceph", "etc/rbd-rest-api"):
            (new / directory).mkdir(exist_ok=True)
        (new / image.program.lstrip("/")).touch(mode=0o755)
        # In one step, so that what is there is complete.
        new.rename(root)
    return root


class Contained(Service):
    """The service in the file system, as user `rest` of the cluster."""

    def __init__(self, image, root, etc_ceph, own, *args):
        self.token = secrets.token_hex(32)
        hashed = hashlib.sha256(self.token.encode()).hexdigest()
        (own / "tokens").write_text(f"acceptance read {hashed}\n")
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", CONTAINER, "sh"]
        command += [root, etc_ceph, own, os.environ["RBD_REST_API"], str(image.user), str(image.group), image.program]
        command += ["--listen", "127.0.0.1:0", "--tokens", "/etc/rbd-rest-api/tokens", "--ceph-id", "rest", *args]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.log = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.url = wait_until("the service listens", self._listens)

    @property
    def pid(self):
        """Of the service, outside."""
        task = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        (child,) = task.read_text().split()
        return int(child)

    def end(self):
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(60)

    def kill(self):
        # Its parent's end does not reach it, since it has become another user.
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self.process.wait(60)


@pytest.fixture
def start(image, root, ceph, tmp_path):
    """Starts the service with these files in /etc/ceph, by name (text and mode), beside ceph.conf."""
    etc_ceph, own = tmp_path / "ceph", tmp_path / "own"
    for directory in (etc_ceph, own):
        directory.mkdir()
    tmp_path.chmod(0o755)
    mon_host = re.search(r"^mon_host = (.+)$", pathlib.Path(os.environ["CEPH_CONF"]).read_text(), re.M)[1]
    (etc_ceph / "ceph.conf").write_text(f"[global]\nmon_host = {mon_host}\n")

    @contextlib.contextmanager
    def starting(*args, key=None, **keyrings):
        for name, (text, mode) in keyrings.items():
            path = etc_ceph / name.replace("_", ".")
            path.write_text(text)
            path.chmod(mode)
        if key:
            (own / "key").write_text(key[0])
            (own / "key").chmod(key[1])
        service = Contained(image, root, etc_ceph, own, *args)
        try:
            yield service
        finally:
            service.kill()

    return starting


@pytest.fixture(scope="module")
def keyring(ceph):
    return ceph("auth", "get-or-create", "client.rest", "mon", "profile rbd", "osd", "profile rbd", "mgr", "profile rbd")


def has_the_first_users_answer(service):
    for path in ("/api/v1/pools/", "/api/v1/pools"):
        answer = service.request("GET", path)
        assert answer.status == 200
        assert list(answer.json) == ["Kind", "APIVersion", "Items"]
        assert answer.json["Kind"] == "PoolList" and answer.json["APIVersion"] == "v1"
        # Other tests have pools, too.
        assert [item for item in answer.json["Items"] if item["name"] in ("rbd", "rbd1")] == [
            {"name": "rbd"},
            {"name": "rbd1"},
        ]
    assert service.request("GET", "/api/v1/pools/rbd").json["name"] == "rbd"
    assert service.request("GET", "/api/v1/pools/none").status == 404


def test_the_service_does_what_the_first_users_asked_of_it(start, keyring, image):
    with start(ceph_client_rest_keyring=(keyring, 0o644)) as service:
        assert service.request("GET", "/readyz").status == 200
        has_the_first_users_answer(service)
        status = pathlib.Path(f"/proc/{service.pid}/status").read_text()
        assert f"\nUid:\t{image.user}\t{image.user}\t" in status
        assert "\nCapEff:\t0000000000000000\n" in status and "\nCapBnd:\t0000000000000000\n" in status
        assert "\nNoNewPrivs:\t1\n" in status
        assert pathlib.Path(f"/proc/{service.pid}/root/etc/ceph/ceph.conf").is_file()
        mounts = pathlib.Path(f"/proc/{service.pid}/mounts").read_text().splitlines()
        options = {line.split()[1]: line.split()[3].split(",") for line in mounts}
        assert all("ro" in options[path] for path in ("/", "/etc/ceph", "/etc/rbd-rest-api"))
        # As process 1, which no signal ends that it does not ask for.
        assert service.end() == 0
        assert any("ended" in line for line in service.log)


def test_a_key_from_a_secret_is_enough(start, keyring, image):
    key = re.search(r"key = (\S+)", keyring)[1]
    with start("--ceph-key-file", "/etc/rbd-rest-api/key", key=(key + "\n", 0o644)) as service:
        assert service.request("GET", "/readyz").status == 200
        has_the_first_users_answer(service)
        assert key not in "\n".join(service.log)


def refuses(service, *texts):
    assert service.request("GET", "/healthz").status == 200
    answer = service.request("GET", "/readyz")
    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    for text in texts:
        assert text in answer.json["detail"], answer.json
    assert service.request("GET", "/api/v1/pools").json["detail"] == answer.json["detail"]


def test_without_a_keyring_it_says_whose_and_where(start):
    with start() as service:
        refuses(service, "no keyring for client.rest", "/etc/ceph/ceph.client.rest.keyring", "/etc/ceph/ceph.keyring")


def test_with_a_keyring_that_is_roots_it_says_that(start, keyring):
    with start(ceph_client_rest_keyring=(keyring, 0o600)) as service:
        refuses(service, "client.rest", "/etc/ceph/ceph.client.rest.keyring", "Permission denied")


def test_with_a_key_that_is_roots_it_says_that(start, keyring):
    key = re.search(r"key = (\S+)", keyring)[1]
    with start("--ceph-key-file", "/etc/rbd-rest-api/key", key=(key, 0o600)) as service:
        refuses(service, "client.rest", "/etc/rbd-rest-api/key", "Permission denied")
