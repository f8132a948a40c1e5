"""The service answers as its OpenAPI document says, whatever is asked: schemathesis makes 2,000 requests up."""

import os
import pathlib
import re
import subprocess
import sys
import sysconfig

HERE = pathlib.Path(__file__).parent
EXAMPLES = 2000
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
    "unsupported_method",
]


def run(service, pools, tmp_path, examples):
    """What schemathesis prints, having tried so many requests for each operation, and how many that were."""
    env = dict(os.environ, SCHEMATHESIS_HOOKS="hooks", PYTHONPATH=str(HERE), SCHEMATHESIS_POOLS=" ".join(pools))
    command = [
        os.path.join(sysconfig.get_path("scripts"), "schemathesis"),
        "run",
        f"{service.url}/openapi.json",
        f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={examples}",
        "--workers=4",
        "--continue-on-failure",
        "--no-shrink",
        "--seed=7",
        "--generation-database=none",
        "--suppress-health-check=all",
        "--request-timeout=60",
        f"--header=Authorization: Bearer {service.token}",
        "--no-color",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=540)
    print(done.stdout[-20000:], done.stderr[-5000:], file=sys.stderr)
    tried = re.search(r"([0-9,]+) generated", done.stdout)
    return done, int(tried[1].replace(",", "")) if tried else 0


def test_2000_requests_are_answered_as_the_document_says(service, ceph, pool, tmp_path):
    operations = sum(
        method in ("get", "post", "put", "delete", "head")
        for path in service.request("GET", "/openapi.json").json["paths"].values()
        for method in path
    )
    done, tried = run(service, [pool], tmp_path, -(-EXAMPLES // operations))
    assert done.returncode == 0
    assert tried >= EXAMPLES
    # It still works after all that.
    assert service.request("GET", "/readyz").status == 200
    assert {"name": "rbd"} in service.request("GET", "/api/v1/pools").json["Items"]
