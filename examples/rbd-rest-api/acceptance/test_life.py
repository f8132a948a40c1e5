"""The script of README.md leads an image through its life."""

import os
import pathlib
import subprocess

SCRIPT = pathlib.Path(__file__).parents[1] / "life.sh"


def lead(service, pool, token):
    env = dict(os.environ, TOKEN=token)
    return subprocess.run([SCRIPT, service.url, pool], env=env, capture_output=True, text=True, timeout=120)


def test_an_image_is_led_through_its_life(service, pool, rbd):
    done = lead(service, pool, service.token)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert done.stdout.endswith("All as it should be.\n")
    assert rbd("ls", pool) == "" == rbd("trash", "ls", pool)


def test_the_script_fails_when_an_answer_is_another(service, pool):
    done = lead(service, pool, "wrong")
    assert done.returncode == 1
    assert "status 401 instead of 201" in done.stderr
