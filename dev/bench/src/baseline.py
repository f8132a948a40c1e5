"""The same loop with Ceph's Python modules. Speaks what src/protocol.rs describes."""

import sys
import threading
import time

import rados
import rbd

OBJECTS = 16
conf, pool, name, area = sys.argv[1:]
cluster = rados.Rados(conffile=conf, name="client.admin")
cluster.connect()
ioctx = cluster.open_ioctx(pool)
image = rbd.Image(ioctx, name)


def run(api, direction, depth, size, most, milliseconds):
    slots = threading.Semaphore(depth)
    errors = []

    def done(completion, data=None):
        if completion.get_return_value() < 0:
            errors.append(completion.get_return_value())
        slots.release()

    blocks = int(area) // (1 if api == "rbd" else OBJECTS) // size
    names = [f"bench-{n}" for n in range(OBJECTS)]
    data = bytes(size)
    random = 88172645463325252
    end = time.monotonic_ns() + milliseconds * 1_000_000
    started = 0
    while started < most and (started % 16 or time.monotonic_ns() < end):
        slots.acquire()
        random ^= random << 13 & 0xFFFFFFFFFFFFFFFF
        random ^= random >> 7
        random ^= random << 17 & 0xFFFFFFFFFFFFFFFF
        offset = (random >> 8) % blocks * size
        if api == "rbd" and direction == "write":
            image.aio_write(data, offset, done)
        elif api == "rbd":
            image.aio_read(offset, size, done)
        elif direction == "write":
            ioctx.aio_write(names[random % OBJECTS], data, offset, done)
        else:
            ioctx.aio_read(names[random % OBJECTS], size, offset, done)
        started += 1
    for _ in range(depth):
        slots.acquire()
    if errors:
        raise OSError(-errors[0], "an operation failed")
    return started


print("ready", flush=True)
for line in sys.stdin:
    api, direction, *numbers = line.split()
    before = time.monotonic_ns()
    count = run(api, direction, *map(int, numbers))
    print(count, time.monotonic_ns() - before, flush=True)
image.close()
ioctx.close()
cluster.shutdown()
